from __future__ import annotations

from pathlib import Path

from tests.unit.repository.file_sizes import LIMIT, size_problems
from tests.unit.repository.project import ROOT, project_files, report


def test_no_file_is_longer_than_the_limit() -> None:
    problems = size_problems(ROOT)
    assert not problems, report(problems)


def test_the_repositorys_files_are_found() -> None:
    names = {str(path.relative_to(ROOT)) for path in project_files(ROOT)}
    assert {"site.yml", "pyproject.toml", "README.md"} <= names
    assert not [name for name in names if name.startswith((".git/", ".venv/", "build/"))]


def test_a_file_that_is_too_long_is_named(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text("\n" * LIMIT)
    (tmp_path / "a.lock").write_text("\n" * (LIMIT + 1))
    assert size_problems(tmp_path) == []
    (tmp_path / "long.py").write_text("\n" * (LIMIT + 1))
    assert size_problems(tmp_path) == [f"long.py: {LIMIT + 1} lines, the limit is {LIMIT}"]
