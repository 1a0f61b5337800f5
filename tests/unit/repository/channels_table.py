"""The feature table of docs/channels.md: each row has a test that exists, and evidence for the others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.unit.repository.documents import make_targets

_ID = re.compile(r"[A-Z]\d+")
_CELL = re.compile(r"(yes|no|partly|not found|-)(: \S.*)?")
_TEST = re.compile(r"(?P<path>tests/[\w/]+\.py)::(?P<name>test_\w+)")
_FIGURE = re.compile(r"make (?P<target>[a-z-]+)")
PEERS = 6


class Row(NamedTuple):
    """One row of the table.

    ``here`` and ``others`` are the verdicts, ``shown_by`` what stands in code in the last column.
    """

    number: str
    here: str
    others: tuple[str, ...]
    shown_by: tuple[str, ...]


def _cells(text: str) -> Iterator[list[str]]:
    """Yield the cells of the table rows that begin with a row's number."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and _ID.fullmatch(cells[0]):
            yield cells


def rows(text: str) -> list[Row]:
    """Return the rows of the feature table in ``text``.

    Raises:
        ValueError: a row has more or fewer cells than the table has columns.
    """
    found = []
    for cells in _cells(text):
        if len(cells) != PEERS + 4:
            raise ValueError(f"{cells[0]}: {len(cells)} cells instead of {PEERS + 4}")
        shown_by = tuple(re.findall(r"`([^`]+)`", cells[-1]))
        found.append(Row(cells[0], cells[2], tuple(cells[3:-1]), shown_by))
    return found


def tests_of(path: Path) -> set[str]:
    """Return the names of the tests in a file, without importing it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


def _proof_problem(root: Path, proof: str) -> str | None:
    test = _TEST.fullmatch(proof)
    if test:
        path = root / test["path"]
        if not path.is_file():
            return f"{test['path']} does not exist"
        return None if test["name"] in tests_of(path) else f"{test['path']} has no {test['name']}"
    figure = _FIGURE.fullmatch(proof)
    if figure:
        return None if figure["target"] in make_targets(root) else f"{proof} is not a target of the Makefile"
    return f"{proof} is neither a test nor a make target"


def row_problems(root: Path, row: Row) -> list[str]:
    """Return what is wrong with one row: verdicts, and the tests that it names."""
    problems = [f"verdict: {cell}" for cell in (row.here, *row.others) if not _CELL.fullmatch(cell)]
    if not row.shown_by and not re.match(r"no\b(?!t)", row.here):
        problems.append("says more than no, but names no test and no figure")
    problems += [problem for proof in row.shown_by if (problem := _proof_problem(root, proof))]
    return [f"{row.number}: {problem}" for problem in problems]


def evidence_problems(table: list[Row], evidence: str) -> list[str]:
    """Return the cells about others for which ``evidence`` has nothing, and rows that only it has."""
    known = {cells[0]: cells[1:] for cells in _cells(evidence)}
    numbers = {row.number for row in table}
    problems = [f"{number}: not in the table" for number in known if number not in numbers]
    for row in table:
        found = known.get(row.number, [])
        if len(found) != PEERS:
            problems.append(f"{row.number}: {len(found)} cells of evidence instead of {PEERS}")
        for place, (cell, proof) in enumerate(zip(row.others, found, strict=False), 1):
            if (cell == "-") != (proof == "-"):
                problems.append(f"{row.number}: cell {place} is {cell}, its evidence {proof}")
    return problems
