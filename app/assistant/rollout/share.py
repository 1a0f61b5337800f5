"""Which conversations are the candidate's: a keyed hash, so that nobody outside can choose or foresee it."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

PARTS = 2**64


def position(key: str, conversation: str) -> float:
    """Return where ``conversation`` lies between 0 and 1: always the same place under the same ``key``.

    Args:
        key: the rollout's own, in hexadecimal digits; with another one all places are others.
        conversation: its name.
    """
    digest = hmac.new(bytes.fromhex(key), conversation.encode("utf-8", "replace"), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") / PARTS


def is_candidates(key: str, conversation: str, share: float) -> bool:
    """Whether ``conversation`` is among the ``share`` (0 to 1) that the candidate answers."""
    return position(key, conversation) < share


def name_of_chat(platform: str, chat: str) -> str:
    """Return the name of a chat on a platform."""
    return f"{platform}\x00{chat}"


def name_of_call(payload: Mapping[str, Any]) -> str:
    """Return the name of an API call's dialogue: its user's where it names one, else its first question's.

    A caller sends the whole dialogue each time, so that the first question is the same in all of its calls.
    """
    if user := payload.get("user"):
        return f"api user\x00{user}"
    turns = payload.get("messages") or ()
    first = next((turn["content"] for turn in turns if turn["role"] == "user"), "")
    return f"api\x00{first}"


def goes_on(payload: Mapping[str, Any]) -> bool:
    """Whether an API call brings answers that were given before."""
    return any(turn["role"] == "assistant" for turn in payload.get("messages") or ())
