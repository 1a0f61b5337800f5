"""How long an alert may take, by what is deployed: its rule, the intervals, Alertmanager's wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.machines_monitoring.promql import longest_range, seconds
from tests.machines_monitoring.services import ALERTMANAGER, get, prometheus

CHATS = "chats"


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
