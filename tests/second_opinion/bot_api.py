"""What the Bot API documents, as the classes of python-telegram-bot tell it, against an answer's JSON.

The library follows https://core.telegram.org/bots/api field by field: an argument of a class without a
default is a field that is always there, one with a default is marked "Optional" there.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import telegram as api

# Below it seconds since 1970, above it milliseconds: as seconds it would be in the year 5138.
_MILLISECONDS_FROM = 100_000_000_000
# What is inside of a field; fields that are not named here are looked at by their type alone.
_INSIDE: Mapping[str, type[api.TelegramObject]] = {
    "callback_query": api.CallbackQuery,
    "chat": api.Chat,
    "edited_message": api.Message,
    "entities": api.MessageEntity,
    "from": api.User,
    "link_preview_options": api.LinkPreviewOptions,
    "message": api.Message,
    "reply_markup": api.InlineKeyboardMarkup,
    "reply_to_message": api.Message,
}


def fields(kind: type[api.TelegramObject]) -> dict[str, bool]:
    """Return the documented fields of ``kind``, and whether each is always there."""
    parameters = inspect.signature(kind.__init__).parameters.values()
    named = {p.name: p.default is inspect.Parameter.empty for p in parameters if p.name not in _NO_FIELDS}
    return {"from" if name == "from_user" else name: always for name, always in named.items()}


_NO_FIELDS = {"self", "api_kwargs"}


def problems(kind: type[api.TelegramObject], value: object, path: str = "") -> set[str]:
    """Return how ``value`` differs from a documented object of ``kind``, one text for each difference."""
    if not isinstance(value, dict):
        return {f"{path or 'result'}: {_type(value)}, not an object"}
    known = fields(kind)
    found = {
        f"{_join(path, name)}: missing" for name, always in known.items() if always and name not in value
    }
    for name, inner in value.items():
        where = _join(path, name)
        if name not in known:
            found.add(f"{where}: unknown")
        elif name.endswith("date") and isinstance(inner, int) and inner >= _MILLISECONDS_FROM:
            found.add(f"{where}: milliseconds")
        elif name in _INSIDE:
            for each in inner if isinstance(inner, list) else [inner]:
                found |= problems(_INSIDE[name], each, where)
    return found


def types(value: object, path: str = "") -> dict[str, str]:
    """Return every field in ``value``, by its path, and the JSON type that it has."""
    if isinstance(value, dict):
        found = {path: "object"}
        for name, inner in value.items():
            found |= types(inner, _join(path, name))
        return found
    if isinstance(value, list):
        found = {path: "array"}
        for inner in value:
            found |= types(inner, f"{path}[]")
        return found
    return {path: _type(value)}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    kinds = {int: "number", float: "number", str: "text", list: "array", dict: "object"}
    return kinds[type(value)]
