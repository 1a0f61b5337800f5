"""The chat page at /, for anybody with a browser."""

PLATFORM = "web_chat"
