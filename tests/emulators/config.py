"""Configuration of the emulators, read from one JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

_EXAMPLES: Mapping[str, str] = {
    "app_id": '"cli_a1b2c3d4e5f60001"',
    "app_secret": '"0123456789abcdef0123456789abcdef"',
    "encrypt_key": '"any text"',
    "verification_token": '"any text"',
    "bot_token": '"123456789:AAE-abcdefghijklmnopqrstuvwxyz01234"',
    "secret_token": '"letters_digits-1"',
}


class ConfigurationError(Exception):
    """The configuration file cannot be used; the text says what to change."""


@dataclass(frozen=True)
class FeishuConfig:
    """What the emulated Feishu platform knows of the app, and its limits.

    The limits are those of the platform; tests may lower them. ``chat_rate`` is messages a second in a chat,
    ``total_rate`` and ``minute_rate`` calls a second and a minute of each API. A card streams for
    ``streaming_seconds``. Long connections are told to come back after ``reconnect_seconds``.
    """

    app_id: str
    app_secret: str
    encrypt_key: str
    verification_token: str
    token_seconds: int = 7200
    chat_rate: int = 5
    total_rate: int = 50
    minute_rate: int = 1000
    streaming_seconds: float = 600.0
    reconnect_seconds: int = 1


@dataclass(frozen=True)
class TelegramConfig:
    """What the emulated Bot API knows of the bot, and its limits.

    The limits are those of the platform; tests may change them. ``chat_rate`` and ``total_rate`` are messages
    a second, ``group_rate`` messages a minute to a group, ``chat_burst`` the messages that one chat may get
    at once.
    """

    bot_token: str
    secret_token: str
    chat_rate: float = 1.0
    chat_burst: int = 3
    group_rate: int = 20
    total_rate: int = 30


@dataclass(frozen=True)
class Config:
    """Both emulators' configuration."""

    feishu: FeishuConfig
    telegram: TelegramConfig


_Section = TypeVar("_Section", FeishuConfig, TelegramConfig)


def load(path: Path) -> Config:
    """Read the configuration file.

    Args:
        path: a JSON file with the objects ``feishu`` and ``telegram``.

    Returns:
        the configuration.

    Raises:
        ConfigurationError: when the file is missing, is no JSON, or lacks or mistypes a key.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}; name an existing file") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not valid JSON ({error}); correct it there") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f'{path} holds no object; write {{"feishu": {{...}}, "telegram": {{...}}}}')
    return Config(
        feishu=_section(path, document, "feishu", FeishuConfig),
        telegram=_section(path, document, "telegram", TelegramConfig),
    )


def _section(path: Path, document: Mapping[str, object], name: str, kind: type[_Section]) -> _Section:
    values = document.get(name)
    if not isinstance(values, dict):
        raise ConfigurationError(f'{path} has no object "{name}"; add "{name}": {{...}}')
    known = {field.name: field for field in fields(kind)}
    for key, value in values.items():
        if key not in known:
            raise ConfigurationError(f"{path}: {name}.{key} is unknown; known are {', '.join(known)}")
        if key in _EXAMPLES:
            if not isinstance(value, str) or not value:
                raise ConfigurationError(f"{path}: {name}.{key} must be a text, for example {_EXAMPLES[key]}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ConfigurationError(f"{path}: {name}.{key} must be a number above 0, for example 5")
    for key in known:
        if key in _EXAMPLES and key not in values:
            raise ConfigurationError(f"{path}: {name}.{key} is missing; add for example {_EXAMPLES[key]}")
    return kind(**values)
