"""No file that people read grows past what fits in a head."""

from __future__ import annotations

from pathlib import Path

from tests.unit.repository.project import project_files, text_of

LIMIT = 400  # lines
_READ_BY_PEOPLE = {".py", ".yml", ".yaml", ".md", ".sh", ".j2", ".toml", ".cfg", ".js", ".css", ".html"}


def size_problems(root: Path) -> list[str]:
    """Return the files with more than LIMIT lines."""
    problems = []
    for path in project_files(root):
        if path.suffix in _READ_BY_PEOPLE or path.name in {"Makefile", "Dockerfile"}:
            count = len((text_of(path) or "").splitlines())
            if count > LIMIT:
                problems.append(f"{path.relative_to(root)}: {count} lines, the limit is {LIMIT}")
    return problems
