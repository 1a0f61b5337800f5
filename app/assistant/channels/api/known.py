"""Calls whose answer is known: what the routes ask of whoever knows it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from flask import Request

# What the header web.operations.CACHE_HEADER says.
State = Literal["hit", "pinned", "miss", "bypass", "busy", "late"]


@dataclass(frozen=True)
class Begun:
    """A call that has begun.

    ``hit`` and ``pinned`` have their ``text``; ``miss`` and ``bypass`` go to the model; ``busy``: too many
    wait for the same answer, ``late``: it did not come in time.
    """

    state: State
    text: str = ""
    finish_reason: str = "stop"


class Recall(Protocol):
    """Knows answers."""

    def begin(self, number: str, payload: Mapping[str, Any]) -> AbstractContextManager[Begun]:
        """Begin the call ``number``; the block is its time."""


def wish(request: Request) -> str:
    """Return what the caller wants of the answer cache: no-cache, no-store or, empty, nothing.

    RFC 9111, sections 5.2.1.4 and 5.2.1.5: no-cache wants a fresh answer, which may be kept for others;
    no-store wants one that is not kept either.
    """
    text = request.headers.get("Cache-Control")
    if not text:
        return ""
    choices = {part.strip().lower() for part in text.split(",")}
    return "no-store" if "no-store" in choices else "no-cache" if "no-cache" in choices else ""
