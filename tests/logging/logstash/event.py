"""An event: nested fields, Logstash's references to them, and its ``%{...}`` in texts."""

from __future__ import annotations

import copy
import datetime
import json
import re
from collections.abc import Mapping
from typing import Any

from tests.logging.logstash.language import field

_PLACEHOLDER = re.compile(r"%\{([^}]+)\}")


class EventError(Exception):
    """A filter does to an event what Logstash would do in a way that nobody means; the text says what."""


class Event:
    """An event while the filters work on it; ``@metadata`` is a field of it that no output sends."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        """Take a copy of ``fields``: nested, or at the top with dots in their names, as samples have them."""
        self._fields: dict[str, Any] = {}
        for name, value in fields.items():
            self._put(tuple(name.split(".")), copy.deepcopy(value))
        self.dropped = False

    def _put(self, path: tuple[str, ...], value: Any) -> None:
        inside: Any = self._fields
        for name in path[:-1]:
            inside = inside.setdefault(name, {})
            if not isinstance(inside, dict):
                raise EventError(f"{'.'.join(path)}: {name} holds a value and cannot hold fields")
        inside[path[-1]] = value

    def _find(self, reference: str) -> tuple[Any, Any] | None:
        path = field(reference).path
        inside: Any = self._fields
        for name in path[:-1]:
            inside = inside.get(name) if isinstance(inside, dict) else None
        if isinstance(inside, list) and path[-1].isdigit() and int(path[-1]) < len(inside):
            return inside, int(path[-1])
        return (inside, path[-1]) if isinstance(inside, dict) and path[-1] in inside else None

    def has(self, reference: str) -> bool:
        """Return whether the field is there, with whatever value."""
        return self._find(reference) is not None

    def get(self, reference: str) -> Any:
        """Return the field's value; None where there is none."""
        found = self._find(reference)
        return found[0][found[1]] if found else None

    def set(self, reference: str, value: Any) -> None:
        """Set the field.

        Raises:
            EventError: Something on the way to it is no object.
        """
        self._put(field(reference).path, value)

    def remove(self, reference: str) -> Any:
        """Remove the field and return what it was."""
        found = self._find(reference)
        return found[0].pop(found[1]) if found else None

    def tag(self, tag: str) -> None:
        """Add a tag, once."""
        tags = self._fields.setdefault("tags", [])
        if tag not in tags:
            tags.append(tag)

    def text(self, template: Any) -> Any:
        """Return ``template`` with each ``%{field}`` replaced; that of a field that is not there stays."""
        if not isinstance(template, str):
            return template

        def value(found: re.Match[str]) -> str:
            reference = found.group(1)
            if reference.startswith("+"):
                raise EventError(f"{found.group()}: dates in texts are not understood here")
            got = self.get(reference)
            if got is None:
                return found.group()
            if isinstance(got, bool):
                return "true" if got else "false"
            if isinstance(got, list):
                return ",".join(map(str, got))
            return json.dumps(got) if isinstance(got, dict) else str(got)

        return _PLACEHOLDER.sub(value, template)

    def sent(self) -> dict[str, Any]:
        """Return what an output sends, as names with dots; objects without fields are nothing."""
        flat: dict[str, Any] = {}

        def walk(prefix: str, inside: Mapping[str, Any]) -> None:
            for name, value in inside.items():
                full = f"{prefix}{name}"
                if isinstance(value, Mapping):
                    walk(f"{full}.", value)
                else:
                    flat[full] = value

        walk("", {name: value for name, value in self._fields.items() if name != "@metadata"})
        return flat


def timestamp(moment: datetime.datetime) -> str:
    """Return a time as Elasticsearch gives it back: UTC, milliseconds."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
