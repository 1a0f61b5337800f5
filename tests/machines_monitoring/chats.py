"""The alerts as people read them in the emulated chats."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.machines_monitoring.join import CHATS_FILE
from tests.machines_verify.machine_access import INFO

CHATS = ("feishu", "telegram")
# The chats' own ids, made by join.py.
IDS: dict[str, str] = json.loads((Path(os.environ["DEMO_INFO"]).parent / CHATS_FILE).read_text())
_RESOLVED = re.compile(r"resolved|已恢复", re.I)


@dataclass(frozen=True)
class Message:
    """One message in a chat: what it says, and when it came (seconds since 1970)."""

    text: str
    at: float


def messages(chat: str, alert: str = "", state: str = "", since: float = 0.0) -> list[Message]:
    """Return the relay's messages in a chat, oldest first.

    Args:
        chat: ``feishu`` or ``telegram``.
        alert: only those of this alert.
        state: only those that say ``firing``, or ``resolved``.
        since: only those that came later (seconds since 1970).
    """
    found = []
    for sent in _sent(chat):
        text, at = str(sent["text"]), float(sent["at"])
        # The first line is of the whole group: it says resolved when nothing in it fires any more.
        resolved = bool(_RESOLVED.search(text.partition("\n")[0]))
        if (
            at >= since
            and (not alert or re.search(rf"\b{alert}\b", text))
            and state in ("", _STATES[resolved])
        ):
            found.append(Message(text, at))
    return found


_STATES = {False: "firing", True: "resolved"}


def _sent(chat: str) -> list[dict[str, Any]]:
    """List what stands in the chat of the alerts; the assistant's own answers are in other chats."""
    answer = httpx.get(f"{INFO[chat]['emulator_url']}/_sent", timeout=30, trust_env=False)
    answer.raise_for_status()
    return [sent for sent in answer.json() if str(sent["chat"]) == IDS[chat]]
