"""Emulated Feishu Open Platform and Telegram Bot API, and clients that act as those platforms."""
