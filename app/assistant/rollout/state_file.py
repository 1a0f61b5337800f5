"""The file that tells the host's agent how the rollout stands: whole at any moment, and on the disk."""

import json
import os
from pathlib import Path
from typing import Any

from assistant.logs import Log
from assistant.rollout.rules import rules_of
from assistant.store.rollouts import Rollout

log = Log(__name__)


class StateFile:
    """Written when what it would say has changed."""

    def __init__(self, path: str) -> None:
        """Write to ``path``; empty: nowhere."""
        self._path = Path(path) if path else None
        self._said: dict[str, Any] | None = None

    def show(self, rollout: Rollout | None) -> None:
        """Say how ``rollout`` stands; None where there never was one."""
        if self._path is None or rollout is None:
            return
        said = described(rollout)
        if said == self._said:
            return
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with beside.open("w", encoding="utf-8") as file:
                json.dump(said, file, ensure_ascii=False, indent=1)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            log.error(
                "ASSISTANT_ROLLOUT_STATE_FILE: the rollout's state cannot be written; the host's agent does "
                "not follow it",
                path=str(self._path),
                error=type(error).__name__,
            )
            beside.unlink(missing_ok=True)
            return
        self._said = said


def described(rollout: Rollout) -> dict[str, Any]:
    """Return what the file says of ``rollout``; times in seconds, ``since`` since 1970."""
    rules = rules_of(rollout.rules)
    return {
        "id": rollout.number,
        "state": rollout.state,
        "candidate": rollout.candidate,
        "stable": rollout.stable,
        "reason": rollout.reason,
        "share": rules.share,
        "elapsed_seconds": rollout.elapsed,
        "hours": rules.hours,
        "since": rollout.since,
    }
