"""Reports have the form that other tools rely on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.report import Figure, write_report


def test_writes_figures_samples_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "build" / "bench"
    figures: dict[str, Figure] = {"median_ms": 1.23456, "turns": 40, "model": "小"}
    assert write_report("chat-1", figures, {"ms": [1, 2]}, folder=folder) == folder / "chat-1.json"
    assert json.loads((folder / "chat-1.json").read_text(encoding="utf-8")) == figures
    assert json.loads((folder / "chat-1.samples.json").read_text(encoding="utf-8")) == {"ms": [1, 2]}
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["chat-1", "  median_ms  1.235", "  turns         40", "  model          小"]


@pytest.mark.parametrize("name", ["", "a/b", "a b", "../a"])
def test_bad_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="must be of letters"):
        write_report(name, {}, [], folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("figure", [{"nested": 1}, None, float("nan"), float("inf")])
def test_bad_figures_are_refused(tmp_path: Path, figure: Figure) -> None:
    with pytest.raises(ValueError, match="figure speed of run"):
        write_report("run", {"speed": figure}, [], folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
