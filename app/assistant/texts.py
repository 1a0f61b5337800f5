"""What the assistant says without the model, in Chinese and English."""

from dataclasses import replace

from assistant.messages import Incoming, Kind

HELP = (
    "Write me a message, in English or Chinese, and I will answer it. I remember this conversation.\n"
    "直接给我发消息即可，中文或英文都可以，我会记得这段对话。\n"
    "/help: this text · 显示本帮助"
)
START = "Hello! I am an AI assistant.\n你好！我是一个人工智能助手。\n\n" + HELP
UNSUPPORTED = "I can only read text messages so far.\n目前我只能阅读文字消息。"
FAILED = (
    "Sorry, I could not answer this message. Please try again later.\n抱歉，这条消息我没能回答，请稍后再试。"
)
EMPTY = (
    "Sorry, I have no answer to that. Please put it another way.\n抱歉，我没有想到答案，请换一种说法再试。"
)

FIXED = {Kind.START: START, Kind.HELP: HELP, Kind.UNSUPPORTED: UNSUPPORTED}
COMMANDS = {"/start": Kind.START, "/help": Kind.HELP}


def kind_of(text: str) -> Kind:
    """Return what ``text`` asks for: a command in its first word, or an answer."""
    words = text.split(maxsplit=1)
    # In a group, Telegram writes /help@name_of_the_bot.
    return COMMANDS.get(words[0].lower().split("@")[0], Kind.CHAT) if words else Kind.CHAT


def clean(message: Incoming) -> Incoming:
    """Return ``message`` without what a database cannot keep: NUL and halves of surrogate pairs."""
    payload = message.payload
    if payload:
        turns = [{"role": m["role"], "content": _storable(m["content"])} for m in payload.get("messages", [])]
        payload = {**payload, "messages": turns}
    return replace(message, text=_storable(message.text), payload=payload)


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
