"""The agent's configuration, one JSON object that the role ``rollout`` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigError


@dataclass(frozen=True)
class Config:
    """Where everything is.

    ``state_file`` is the app's, ``records`` a folder of the agent's own, ``models`` the folder of the
    versions. ``tokens`` are the files that are removed together with the candidate. ``ready_seconds`` is how
    long the stable container may take to load a model, ``orphan_seconds`` how long a candidate whose rollout
    never began is left alone.
    """

    state_file: Path
    records: Path
    models: Path
    stable: str
    candidate: str
    tokens: tuple[Path, ...]
    ready_url: str
    ready_seconds: float
    orphan_seconds: float = 900.0


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name} must be a text that is not empty, and is {value!r}")
    return value


def _path(values: dict[str, Any], name: str) -> Path:
    path = Path(_text(values, name))
    if not path.is_absolute():
        raise ConfigError(f"{name} must be a whole path, such as /var/lib/ai-assistant, and is {str(path)!r}")
    return path


def _seconds(values: dict[str, Any], name: str, usual: float) -> float:
    value = values.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= 86400:
        raise ConfigError(f"{name} must be a number of seconds from 1 to 86400, and is {value!r}")
    return float(value)


def read_config(path: Path) -> Config:
    """Read the file ``path``.

    Raises:
        ConfigError: it cannot be read, or an entry is missing or wrong.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold one JSON object")
    tokens = values.get("tokens")
    if not isinstance(tokens, list) or not tokens:
        raise ConfigError("tokens must be a list of paths")
    return Config(
        state_file=_path(values, "state_file"),
        records=_path(values, "records"),
        models=_path(values, "models"),
        stable=_text(values, "stable"),
        candidate=_text(values, "candidate"),
        tokens=tuple(_path({"tokens": token}, "tokens") for token in tokens),
        ready_url=_text(values, "ready_url"),
        ready_seconds=_seconds(values, "ready_seconds", 240.0),
        orphan_seconds=_seconds(values, "orphan_seconds", 900.0),
    )
