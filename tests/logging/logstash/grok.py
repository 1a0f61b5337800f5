"""Grok: named patterns that make regular expressions with names for what they find."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.logging.logstash.language import PipelineError

_USE = re.compile(r"%\{(\w+)(?::([^:}]+))?(?::(int|float))?\}")
_NAMED = re.compile(r"\(\?<([A-Za-z_]\w*)>")
_DEEPEST = 40
CONVERSIONS: Mapping[str, Callable[[str], Any]] = {"int": int, "float": float, "": str}


def definitions(folder: Path) -> dict[str, str]:
    """Return the patterns of a folder by their names; lines that begin with # are comments.

    Raises:
        PipelineError: A name is defined twice, or a line is none.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            name, space, pattern = line.partition(" ")
            if not re.fullmatch(r"\w+", name) or not space or name in found:
                raise PipelineError(f"{path.name}: {name}: not a new pattern with its definition")
            found[name] = pattern.strip()
    return found


class Pattern:
    """One compiled pattern; Oniguruma and Python agree on what the pipelines use of their languages."""

    def __init__(self, pattern: str, known: Mapping[str, str]) -> None:
        """Compile.

        Raises:
            PipelineError: A pattern is unknown, or the expression is wrong.
        """
        self._captures: dict[str, tuple[str, str]] = {}
        # What lets a point be any character, a line's end too, is m in Ruby and s in Python.
        expression = self._expanded(pattern, known, 0).replace("(?m:", "(?s:")
        try:
            # As in Ruby: ^ and $ are those of a line, and \w, \d and \s mean ASCII.
            self._regex = re.compile(expression, re.ASCII | re.MULTILINE)
        except re.error as error:
            raise PipelineError(f"{pattern}: {error}") from error

    def _expanded(self, pattern: str, known: Mapping[str, str], depth: int) -> str:
        if depth > _DEEPEST:
            raise PipelineError(f"{pattern}: patterns that contain each other")

        def use(found: re.Match[str]) -> str:
            name, target, conversion = found.groups()
            if name not in known:
                raise PipelineError(f"the grok pattern {name} is defined nowhere in files/logstash/patterns")
            inside = self._expanded(known[name], known, depth + 1)
            return f"(?P<{self._capture(target, conversion or '')}>{inside})" if target else f"(?:{inside})"

        replaced = _USE.sub(use, pattern)
        return _NAMED.sub(lambda found: f"(?P<{self._capture(found.group(1), '')}>", replaced)

    def _capture(self, target: str, conversion: str) -> str:
        group = f"capture{len(self._captures)}"
        self._captures[group] = (target, conversion)
        return group

    @property
    def ruby(self) -> str:
        """The whole expression as Ruby writes it, with a name for each capture."""
        return self._regex.pattern.replace("(?P<", "(?<").replace("(?s:", "(?m:")

    def captures(self, text: str) -> dict[str, str] | None:
        """Return the captures that took part, by their names in ``ruby``; None without a match."""
        found = self._regex.search(text)
        return {name: text for name, text in found.groupdict().items() if text is not None} if found else None

    def find(self, text: str) -> dict[str, Any] | None:
        """Return what is found, by the field it is for; None where the pattern does not match anywhere."""
        found = self._regex.search(text)
        if not found:
            return None
        values: dict[str, Any] = {}
        for group, (target, conversion) in self._captures.items():
            if text_found := found.group(group):
                values.setdefault(target, CONVERSIONS[conversion](text_found))
        return values
