"""The scenario's figures: build/bench/monitoring.json, whole at any time and kept between its parts."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.bench.report import FOLDER, Figure, write_report

NAME = "monitoring"


def _kept(name: str) -> dict[str, object]:
    path = FOLDER / f"{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def record(figures: Mapping[str, Figure], samples: Mapping[str, list[object]] | None = None) -> None:
    """Add figures to those of the scenario's earlier parts, write them, and print all as a table.

    Args:
        figures: named figures, with the unit in the name.
        samples: what they were made from, kept in monitoring.samples.json.
    """
    kept: dict[str, Figure] = {
        key: value for key, value in _kept(NAME).items() if isinstance(value, int | float | str)
    }
    raw = _kept(f"{NAME}.samples")
    write_report(NAME, {**kept, **figures}, {**raw, **(samples or {})})  # type: ignore[dict-item]


def begin() -> None:
    """Forget the figures of an earlier run."""
    for path in FOLDER.glob(f"{NAME}.*json"):
        path.unlink()
