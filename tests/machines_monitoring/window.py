"""How long an alert may take, by what is deployed: its rule, the intervals, Alertmanager's wait."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.machines_monitoring.services import ALERTMANAGER, get, prometheus

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_RANGE = re.compile(r"\[([0-9a-z]+?)(?::[0-9a-z]*)?\]")
CHATS = "chats"
_RECORDED = re.compile(r"\b[a-z_]+(?::[a-z0-9_]+)+\b")


@dataclass(frozen=True)
class Window:
    """The parts of an alert's window, in seconds."""

    range: float
    pending: float
    scrape: float
    evaluation: float
    group_wait: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.range + self.pending + self.scrape + self.evaluation + self.group_wait


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


def window_of(alert: str) -> Window:
    """Return the window of an alert that is deployed.

    Raises:
        KeyError: there is no such alert.
    """
    rules: list[dict[str, Any]] = [
        {**rule, "interval": float(group["interval"])}
        for group in prometheus("rules")["groups"]
        for rule in group["rules"]
    ]
    recorded = {rule["name"]: str(rule["query"]) for rule in rules if rule["type"] == "recording"}
    found = [rule for rule in rules if rule["type"] == "alerting" and rule["name"] == alert]
    if not found:
        raise KeyError(f"no alert {alert} is deployed; there are {sorted(rule['name'] for rule in rules)}")
    # Of several rules with one name the quickest counts.
    rule = min(found, key=lambda one: longest_range(one["query"], recorded)[0] + one["duration"])
    looked_back, depth = longest_range(rule["query"], recorded)
    scraped = yaml.safe_load(prometheus("status/config")["yaml"])["global"]["scrape_interval"]
    return Window(
        range=looked_back,
        pending=float(rule["duration"]),
        scrape=seconds(scraped),
        evaluation=rule["interval"] * (1 + depth),
        group_wait=group_wait(),
    )


def group_wait() -> float:
    """Return how long Alertmanager collects a group for the chats before its first message, in seconds."""
    return _of_chats("group_wait", "30s")


def group_interval() -> float:
    """Return after how many seconds Alertmanager looks at a group of the chats again."""
    return _of_chats("group_interval", "5m")


def _of_chats(setting: str, default: str) -> float:
    config = yaml.safe_load(get(f"{ALERTMANAGER}/api/v2/status")["config"]["original"])
    found = [
        seconds(time)
        for receiver, time in _inherited(config["route"], "", setting, default)
        if receiver == CHATS
    ]
    return max(found)


def _inherited(route: dict[str, Any], receiver: str, setting: str, time: str) -> Iterator[tuple[str, str]]:
    """Give receiver and setting of every route; what one does not set, it has from the one above it."""
    receiver, time = route.get("receiver", receiver), route.get(setting, time)
    yield receiver, time
    for inner in route.get("routes") or []:
        yield from _inherited(inner, receiver, setting, time)
