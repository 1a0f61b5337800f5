"""The relay's one configuration file, which holds secrets: the role writes it, the relay reads it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "zh", "both")
CHANNELS = ("feishu", "telegram")
_CHAT_ID = re.compile(r"(-?[0-9]+|@[A-Za-z][A-Za-z0-9_]+)(/[0-9]+)?")
_URL = re.compile(r"https?://[^/\s]+\S*")


class ConfigError(Exception):
    """The configuration cannot be used; the text says what to change, and where."""


@dataclass(frozen=True)
class FeishuChat:
    """A group with a custom bot; ``secret`` signs, empty where the bot asks for no signature."""

    name: str
    webhook: str
    secret: str = ""
    channel: str = "feishu"


@dataclass(frozen=True)
class TelegramChat:
    """A chat that the bot may write to; ``chat_id`` is the id, or "id/topic"."""

    name: str
    bot_token: str
    chat_id: str
    base_url: str
    channel: str = "telegram"


@dataclass(frozen=True)
class Config:
    """Everything that the relay can be told. Times are in seconds."""

    database: Path
    chats: tuple[FeishuChat | TelegramChat, ...]
    language: str = "both"
    title: str = "AI assistant"
    runbook_base_url: str = ""
    watchdog_seconds: float = 300.0
    repeat_window_seconds: float = 1800.0
    give_up_seconds: float = 86400.0
    proxy: str = ""
    ca_file: str = ""

    def secrets(self) -> tuple[str, ...]:
        """Return every text that must not be seen in a log."""
        found = [self.proxy]
        for chat in self.chats:
            if isinstance(chat, FeishuChat):
                # The last part of the address is what makes it secret; messages of errors may have it alone.
                found += [chat.webhook, chat.webhook.rstrip("/").rpartition("/")[2], chat.secret]
            else:
                found += [chat.bot_token, chat.bot_token.partition(":")[2]]
        return tuple(sorted({text for text in found if text}, key=len, reverse=True))


def default_path() -> Path:
    """Return the configuration's place: what ``ALERT_RELAY_CONFIG`` names, or where the role puts it."""
    return Path(os.environ.get("ALERT_RELAY_CONFIG") or "/etc/alert-relay/config.json")


def load(path: Path) -> Config:
    """Read the configuration.

    Raises:
        ConfigError: it cannot be read, or a value in it cannot be used.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}; run it as root, or as the service"
        ) from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds no JSON object")
    try:
        return _config(document)
    except ConfigError as error:
        raise ConfigError(
            f"{path}: {error}. Set it in group_vars/monitoring/main.yml and run playbooks/monitoring.yml"
        ) from None


def _config(document: Mapping[str, Any]) -> Config:
    known = set(Config.__dataclass_fields__)
    unknown = sorted(set(document) - known)
    if unknown:
        raise ConfigError(f"{unknown[0]} is unknown; known are {', '.join(sorted(known))}")
    values = dict(document)
    chats = values.get("chats")
    if not isinstance(chats, list) or not chats:
        raise ConfigError(
            "no chat is configured: alert_relay_feishu_webhook and alert_relay_telegram_bot_token are empty"
        )
    values["chats"] = tuple(_chat(each) for each in chats)
    names = [chat.name for chat in values["chats"]]
    if len(set(names)) != len(names):
        raise ConfigError(f"two chats have one name: {', '.join(names)} (alert_relay_further_chats)")
    for key in ("language", "title", "runbook_base_url", "proxy", "ca_file", "database"):
        if not isinstance(values.get(key, ""), str):
            raise ConfigError(f"alert_relay_{key} must be a text")
    for key in ("watchdog_seconds", "repeat_window_seconds", "give_up_seconds"):
        number = values.get(key, 1)
        if isinstance(number, bool) or not isinstance(number, (int, float)) or number <= 0:
            raise ConfigError(f"alert_relay_{key} is {number!r}; it must be a number above 0, in seconds")
    if values.get("language", "both") not in LANGUAGES:
        raise ConfigError(f"alert_relay_language is {values['language']!r}; use en, zh or both")
    if not values.get("database"):
        raise ConfigError("database is missing; for example /var/lib/alert-relay/relay.db")
    values["database"] = Path(values["database"])
    return Config(**values)


def _chat(document: object) -> FeishuChat | TelegramChat:
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise ConfigError("every chat must be an object of texts (alert_relay_further_chats)")
    channel, values = document.get("channel"), dict(document)
    if not values.get("name"):
        raise ConfigError("a chat has no name (alert_relay_further_chats)")
    name = values["name"]
    try:
        if channel == "feishu":
            feishu = FeishuChat(**values)
            if not _URL.fullmatch(feishu.webhook):
                raise ConfigError(f"chat {name}: the webhook is no URL (alert_relay_feishu_webhook)")
            return feishu
        if channel == "telegram":
            telegram = TelegramChat(**values)
            if not re.fullmatch(r"[0-9]+:[\w-]+", telegram.bot_token):
                raise ConfigError(f"chat {name}: alert_relay_telegram_bot_token is no bot token")
            if not _CHAT_ID.fullmatch(telegram.chat_id):
                raise ConfigError(
                    f"chat {name}: alert_relay_telegram_chat_id {telegram.chat_id!r} is no chat id"
                )
            if not _URL.fullmatch(telegram.base_url):
                raise ConfigError(f"chat {name}: alert_relay_telegram_base_url is no URL")
            return telegram
    except TypeError as error:
        raise ConfigError(f"chat {name}: {str(error).partition(') ')[2]}") from None
    raise ConfigError(f"chat {name}: channel is {channel!r}; use {' or '.join(CHANNELS)}")
