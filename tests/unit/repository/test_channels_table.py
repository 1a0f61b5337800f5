"""The feature table cannot rot: what it names is there, and what it says of others has a source."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.unit.repository.channels_table import PEERS, Row, evidence_problems, row_problems, rows
from tests.unit.repository.project import ROOT, report

TABLE = rows((ROOT / "docs/channels.md").read_text(encoding="utf-8"))
EVIDENCE = (ROOT / "docs/channels-peers.md").read_text(encoding="utf-8")


def test_the_table_is_found() -> None:
    assert len(TABLE) > 60
    twice = [number for number, count in Counter(row.number for row in TABLE).items() if count > 1]
    assert not twice, report(twice)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.number)
def test_a_row_names_what_shows_it(row: Row) -> None:
    problems = row_problems(ROOT, row)
    assert not problems, report(problems)


def test_every_cell_about_another_project_has_its_evidence() -> None:
    problems = evidence_problems(TABLE, EVIDENCE)
    assert not problems, report(problems)


RIGHT = "tests/unit/test_a.py::test_one"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Makefile").write_text("load:\n\ttrue\n")
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "tests/unit/test_a.py").write_text(
        "def test_one(): ...\nclass TestB:\n    async def test_two(self): ...\n# def test_three(): ...\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("here", "proof", "problems"),
    [
        ("yes", RIGHT, []),
        ("partly: half", "tests/unit/test_a.py::test_two", []),
        ("yes: quick", "make load", []),
        ("no: a polite answer", "", []),
        ("yes", "", ["says more than no, but names no test and no figure"]),
        ("not found", "", ["says more than no, but names no test and no figure"]),
        ("yes", "tests/unit/test_a.py::test_three", ["tests/unit/test_a.py has no test_three"]),
        ("yes", "tests/unit/test_b.py::test_one", ["tests/unit/test_b.py does not exist"]),
        ("yes", "make gone", ["make gone is not a target of the Makefile"]),
        ("yes", "trust me", ["trust me is neither a test nor a make target"]),
        ("surely", RIGHT, ["verdict: surely"]),
        ("yes:", RIGHT, ["verdict: yes:"]),
    ],
)
def test_what_is_wrong_with_a_row_is_named(project: Path, here: str, proof: str, problems: list[str]) -> None:
    row = Row("A1", here, ("-",) * PEERS, (proof,) if proof else ())
    assert row_problems(project, row) == [f"A1: {problem}" for problem in problems]


def line(number: str, *cells: str) -> str:
    return f"| {number} | " + " | ".join(cells) + " |\n"


def test_rows_are_read_as_they_stand() -> None:
    text = "| | what |\n| --- | --- |\n" + line("A1", "x", "yes", *["no"] * PEERS, "`a`<br>`make b`")
    assert rows(text) == [Row("A1", "yes", ("no",) * PEERS, ("a", "make b"))]
    with pytest.raises(ValueError, match="A1: 4 cells instead of 10"):
        rows(line("A1", "x", "yes", "-"))


def test_missing_evidence_is_named() -> None:
    table = [Row("A1", "yes", ("-", *["no"] * (PEERS - 1)), ()), Row("A2", "no", ("no",) * PEERS, ())]
    assert evidence_problems(table, line("A1", "-", *["a:1"] * 5) + line("A2", *["b:1"] * PEERS)) == []
    assert evidence_problems(table, line("A1", "a:1", *["a:1"] * 4, "-") + line("A3", "c:1")) == [
        "A3: not in the table",
        "A1: cell 1 is -, its evidence a:1",
        "A1: cell 6 is no, its evidence -",
        "A2: 0 cells of evidence instead of 6",
    ]
