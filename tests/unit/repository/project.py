"""The repository's files, read the way the checks need them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
_CACHES = {".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__"}
_SKIPPED = {".git", ".venv", ".ansible", "build"} | _CACHES


def project_files(root: Path) -> list[Path]:
    """Return the files that git tracks or would track; every file below ``root`` where there is no git."""
    if (root / ".git").exists():
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
        paths: Iterable[Path] = {root / name for name in listing.stdout.split("\0") if name}
    else:
        paths = (path for path in root.rglob("*") if not _SKIPPED & set(path.relative_to(root).parts))
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def text_of(path: Path) -> str | None:
    """Return the file's text, or None where it is not UTF-8 text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


class _Loader(yaml.SafeLoader):
    """YAML with Ansible's own tags (``!vault``, ``!unsafe``) read as plain text."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: str(node.value))


def load_yaml(path: Path) -> Any:
    """Return the document of a YAML file; an empty file is an empty mapping."""
    with path.open(encoding="utf-8") as stream:
        document = yaml.load(stream, Loader=_Loader)  # a subclass of SafeLoader: builds no objects
    return {} if document is None else document


def collect(check: Callable[[Path], list[str]], paths: Iterable[Path]) -> list[str]:
    """Return the problems of every path, in the paths' order."""
    return [problem for path in paths for problem in check(path)]


def report(problems: list[str]) -> str:
    """Return the problems as a list for an assertion's message."""
    return "\n".join(["", *(f"- {problem}" for problem in problems)])
