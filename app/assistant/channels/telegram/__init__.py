"""Telegram: updates by webhook or polling, replies by the Bot API."""

PLATFORM = "telegram"
