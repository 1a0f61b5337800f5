"""What a query of Prometheus looks back on."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_RANGE = re.compile(r"\[([0-9a-z]+?)(?::[0-9a-z]*)?\]")
_RECORDED = re.compile(r"\b[a-z_]+(?::[a-z0-9_]+)+\b")


def seconds(duration: str) -> float:
    """Read a duration of Prometheus, as ``1m30s``."""
    parts = re.findall(r"(\d+)(ms|[smhdwy])", duration)
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def longest_range(query: str, recorded: dict[str, str]) -> tuple[float, int]:
    """Return the longest range that a query looks back, and how many recording rules are behind one another.

    Args:
        query: in PromQL, as Prometheus gives it.
        recorded: name -> query of every recording rule.
    """
    longest, deepest = max((seconds(found) for found in _RANGE.findall(query)), default=0.0), 0
    for name in set(_RECORDED.findall(query)) & recorded.keys():
        others = {other: text for other, text in recorded.items() if other != name}
        behind, depth = longest_range(recorded[name], others)
        longest, deepest = max(longest, behind), max(deepest, depth + 1)
    return longest, deepest
