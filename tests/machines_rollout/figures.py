"""The drill's figures: build/bench/rollout.json, whole at any time and kept between its parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from tests.bench.report import FOLDER, Figure, write_report

NAME = "rollout"


def kept() -> dict[str, Figure]:
    """Return the figures so far."""
    path = FOLDER / f"{NAME}.json"
    return cast("dict[str, Figure]", json.loads(path.read_text("utf-8"))) if path.exists() else {}


def record(figures: Mapping[str, Figure]) -> None:
    """Add ``figures``, write them, and print all as a table."""
    write_report(NAME, {**kept(), **figures}, [])


def count_stable(answers: int, failed: int) -> None:
    """Add what happened to people of the stable arm to the sum over all parts."""
    before = kept()
    record(
        {
            "stable_arm_answers": int(before.get("stable_arm_answers", 0)) + answers,
            "stable_arm_failures": int(before.get("stable_arm_failures", 0)) + failed,
        }
    )


def begin() -> None:
    """Forget the figures of an earlier run."""
    for path in FOLDER.glob(f"{NAME}.*json"):
        path.unlink()
