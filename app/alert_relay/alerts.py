"""Alertmanager's webhook: what version 4 of its JSON says.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Every version from 0.21 to
0.28 sends version "4". ``endsAt`` of a firing alert is the year 1, or some time to come.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

WATCHDOG = "Watchdog"
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")


class BadPayload(Exception):
    """The body is not what Alertmanager sends; the text says why."""


@dataclass(frozen=True)
class Alert:
    """One alert; ``status`` is firing or resolved."""

    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    fingerprint: str

    @property
    def name(self) -> str:
        """The alert's name."""
        return self.labels.get("alertname", "?")

    @property
    def severity(self) -> str:
        """The label ``severity``; warning where there is none, so that it is seen."""
        return self.labels.get("severity", "warning")


@dataclass(frozen=True)
class Notification:
    """What one call of Alertmanager says of one group."""

    group_key: str
    alerts: tuple[Alert, ...]
    truncated: int = 0

    def key(self) -> str:
        """Return what makes this news: the group, and each alert's state with its times.

        Alertmanager's further tries and repetitions have the same key; an alert that fired again has another.
        """
        states = sorted(
            [alert.fingerprint, alert.status, alert.starts_at.isoformat()]
            + ([alert.ends_at.isoformat()] if alert.status == "resolved" else [])
            for alert in self.alerts
        )
        return hashlib.sha256(json.dumps([self.group_key, states]).encode()).hexdigest()


def parse(document: object) -> Notification:
    """Read the decoded body of a webhook call.

    Raises:
        BadPayload: it is not what Alertmanager sends.
    """
    if not isinstance(document, Mapping):
        raise BadPayload("the body is no JSON object")
    if document.get("version") != "4":
        raise BadPayload(f'version is {document.get("version")!r}, this relay reads version "4"')
    key, alerts = document.get("groupKey"), document.get("alerts")
    if not isinstance(key, str) or not key:
        raise BadPayload("groupKey is missing")
    if not isinstance(alerts, list) or not alerts:
        raise BadPayload("alerts is no list, or empty")
    truncated = document.get("truncatedAlerts", 0)
    return Notification(
        key,
        tuple(_alert(alert, f"alerts[{number}]") for number, alert in enumerate(alerts)),
        truncated if isinstance(truncated, int) and truncated > 0 else 0,
    )


def _alert(document: Any, where: str) -> Alert:
    if not isinstance(document, Mapping):
        raise BadPayload(f"{where} is no object")
    status = document.get("status")
    if status not in ("firing", "resolved"):
        raise BadPayload(f"{where}.status is {status!r}; it must be firing or resolved")
    labels = _texts(document.get("labels"), f"{where}.labels")
    fingerprint = document.get("fingerprint")
    if not isinstance(fingerprint, str) or not fingerprint:
        fingerprint = hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]
    return Alert(
        str(status),
        labels,
        _texts(document.get("annotations", {}), f"{where}.annotations"),
        _time(document.get("startsAt"), f"{where}.startsAt"),
        _time(document.get("endsAt"), f"{where}.endsAt"),
        fingerprint,
    )


def _texts(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        raise BadPayload(f"{where} is no object of texts")
    return {str(name): text for name, text in value.items()}


def _time(value: Any, where: str) -> datetime:
    # RFC 3339 with up to nine digits of a second, which datetime.fromisoformat of Python 3.9 does not read.
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise BadPayload(f"{where} is {value!r}; it must be a time as 2026-01-31T12:00:00Z")
    try:
        return datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00")).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise BadPayload(f"{where} is {value!r}; there is no such time") from None
