"""Every number that a rollout is judged by: set when it begins, and kept until its end."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


class RulesError(ValueError):
    """A rule is wrong; the text names it, and says what it may be."""


def _rule(default: float, least: float, most: float, unit: str, text: str) -> Any:
    return field(default=default, metadata={"least": least, "most": most, "unit": unit, "text": text})


@dataclass(frozen=True)
class Rules:
    """The rules; docs/rollout.md shows them as a table, and a test compares."""

    share: float = _rule(0.1, 0.001, 1, "", "of the conversations that the candidate answers")
    hours: float = _rule(24, 0.0001, 8760, "h", "of running before it may be promoted")
    extend_hours: float = _rule(1, 0.0001, 8760, "h", "that are added while it may not")
    max_hours: float = _rule(168, 0.0001, 8760, "h", "after which it is rolled back as inconclusive")
    minimum_answers: int = _rule(200, 1, 10**9, "", "of each arm for a promotion")
    minimum_ratings: int = _rule(20, 0, 10**9, "", "of each arm for a promotion; 0: none are needed")
    success_margin: float = _rule(0.02, 0, 1, "", "by which the share of good answers may be lower")
    ratings_margin: float = _rule(0.1, 0, 1, "", "by which the share of good ratings may be lower")
    # Each look has its chance of an error, and there are up to 145: with 0.95, one in seven candidates that
    # are worse by just the margin would be promoted, with this one in 28 (a test, test_rollout_looks.py).
    confidence: float = _rule(0.99, 0.5, 0.99999, "", "of the intervals that must prove these margins")
    cut_margin: float = _rule(0.05, 0, 1, "", "by which the share of cut answers may be higher")
    latency_factor: float = _rule(1.2, 1, 100, "", "of stable's p50 and p99 that the candidate's may be")
    latency_seconds: float = _rule(0.2, 0, 600, "s", "on top of that")
    window: int = _rule(20, 3, 1000, "", "newest answers of an arm that an alarm looks at")
    alarm_least: int = _rule(3, 1, 1000, "", "bad ones among them before there is an alarm")
    alarm_margin: float = _rule(0.1, 0, 1, "", "by which their share must be above stable's")
    alarm_cut_margin: float = _rule(0.4, 0, 1, "", "the same for cut answers")
    slow_factor: float = _rule(3, 1, 1000, "", "of stable's p99 above which an answer is slow")
    slow_seconds: float = _rule(2, 0, 3600, "s", "on top of that")
    memory_share: float = _rule(0.95, 0.01, 1, "", "of its memory limit that the candidate may use")
    load_seconds: float = _rule(600, 1, 86400, "s", "within which it must be loaded, also after a reboot")
    trial_seconds: float = _rule(60, 0.1, 3600, "s", "within which it must answer the trial question")
    unreachable_seconds: float = _rule(30, 0.1, 3600, "s", "that it may be away")
    metrics_seconds: float = _rule(60, 0.1, 3600, "s", "that its metrics may be missing")
    deadline_share: float = _rule(0.4, 0.01, 0.9, "", "of an answer's deadline that the candidate has")
    rest_seconds: float = _rule(1800, 0, 604800, "s", "without an answer that end a dialogue")
    gap_seconds: float = _rule(600, 0, 86400, "s", "without a tick that still count as running")
    tick_seconds: float = _rule(10, 0.1, 60, "s", "from tick to tick: clock, health, alarms")
    judge_seconds: float = _rule(60, 0.1, 3600, "s", "from judgement to judgement")
    promotion_seconds: float = _rule(900, 1, 86400, "s", "after which a promotion is said to hang")

    def as_dict(self) -> dict[str, Any]:
        """Return the rules as they are stored."""
        return asdict(self)


TABLE = {one.name: one for one in fields(Rules)}


def rules_of(stored: Mapping[str, Any]) -> Rules:
    """Return the rules in a database's row; what another version stored and this one lacks is left out."""
    return make_rules({name: value for name, value in stored.items() if name in TABLE})


def make_rules(given: Mapping[str, Any]) -> Rules:
    """Return the rules with those in ``given`` in place of the defaults.

    Raises:
        RulesError: there is no such rule, or its value is out of range.
    """
    values: dict[str, Any] = {name: _value(name, value) for name, value in given.items()}
    rules = Rules(**values)
    if rules.hours > rules.max_hours:
        raise RulesError(f"hours ({rules.hours:g}) is more than max_hours ({rules.max_hours:g}); raise that")
    if rules.alarm_least > rules.window:
        raise RulesError(f"alarm_least ({rules.alarm_least}) is more than window ({rules.window})")
    return rules


def parse(pairs: Iterable[str]) -> dict[str, str]:
    """Return the rules in ``pairs`` of the form name=value.

    Raises:
        RulesError: one has another form.
    """
    found = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise RulesError(f"'{pair}' is no NAME=VALUE (example: latency_factor=1.5)")
        found[name.strip()] = value.strip()
    return found


def _value(name: str, value: Any) -> float | int:
    rule = TABLE.get(name)
    if rule is None:
        raise RulesError(f"there is no rule '{name}'; there are: {', '.join(TABLE)}")
    whole = isinstance(rule.default, int) and rule.type in {int, "int"}
    try:
        number = int(value) if whole else float(value)
    except (TypeError, ValueError):
        number = math.nan
    least, most = rule.metadata["least"], rule.metadata["most"]
    if not least <= number <= most:
        kind = "a whole number" if whole else "a number"
        raise RulesError(f"{name}={value} must be {kind} from {least:g} to {most:g}: {rule.metadata['text']}")
    return number
