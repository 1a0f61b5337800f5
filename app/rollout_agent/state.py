"""What the app says of its rollout: the file that it writes after each change."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import StateUnreadable
from .times import seconds_of

ACTIVE = frozenset({"loading", "running", "paused"})
PROMOTING = "promoting"
PROMOTED = "promoted"
UNDONE = frozenset({"rolled_back", "aborted"})
STATES = ACTIVE | UNDONE | {PROMOTING, PROMOTED}
_MOST_BYTES = 65536


@dataclass(frozen=True)
class State:
    """One rollout: ``candidate`` is the name of the model's file, ``since`` when it got into this state."""

    id: str
    state: str
    candidate: str
    since: float


def _file(model: str) -> str:
    """Return the name of a model's file; the app names models without the suffix."""
    return model if model.endswith(".gguf") else f"{model}.gguf"


def _moment(value: Any, otherwise: float) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return seconds_of(str(value))
    except ValueError:
        return otherwise


def read_state(path: Path) -> State | None:
    """Read the file; None where there is none: no rollout was ever begun.

    The app's user owns the folder, so the file may be anything: a link is not followed.

    Raises:
        StateUnreadable: it is there and not what the app writes.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateUnreadable(f"{path}: {error.strerror}") from None
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            raise StateUnreadable(f"{path} is no plain file of at most {_MOST_BYTES} bytes")
        data = stream.read(_MOST_BYTES)
    try:
        values = json.loads(data)
    except ValueError as error:
        raise StateUnreadable(f"{path} is no JSON: {error}") from None
    if not isinstance(values, dict) or values.get("state") not in STATES or "id" not in values:
        raise StateUnreadable(f"{path} holds no rollout's id and state")
    return State(
        id=str(values["id"]),
        state=str(values["state"]),
        candidate=_file(str(values.get("candidate", ""))),
        since=_moment(values.get("since"), status.st_mtime),
    )
