"""One fault from its beginning to the last chat's word that it is over."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from tests.machines_monitoring import chats
from tests.machines_monitoring.figures import record
from tests.machines_monitoring.services import alert_states, fired_between
from tests.machines_monitoring.window import Window, window_of
from tests.machines_verify.machine_access import eventually

# The bar beyond an alert's own window.
GRACE_SECONDS = 60.0
# So much longer is waited, so that a busy host shows how late a message is and not only that it is late.
_PATIENCE_SECONDS = 600.0
_POLL_SECONDS = 3.0


@dataclass(frozen=True)
class Course:
    """What came of a fault: counts of messages by chat, and seconds since the fault, -1 for never."""

    alert: str
    fired: dict[str, int]
    resolved: dict[str, int]
    fired_seconds: float
    resolved_seconds: float


def quiet(seconds: float = 900.0) -> bool:
    """Wait until no alert is pending or firing; False when one still is after ``seconds``."""
    return eventually(lambda: not alert_states(), seconds, pause=5)


def observe(
    alert: str,
    fault: AbstractContextManager[object],
    *,
    condition_seconds: float = 0.0,
    hold_seconds: float = 0.0,
    looks_back: float | None = None,
) -> Course:
    """Make a fault, wait until every chat has it, mend it, wait until every chat has that, and record it all.

    Args:
        alert: the alert's name.
        fault: makes the fault, and mends it at its end.
        condition_seconds: how long the fault must last before the rule's condition can hold at all.
        hold_seconds: how long the fault stays after its message, to see that there is no second one.
        looks_back: the range that counts, in seconds, where a rule has a longer one that does not delay it.
    """
    assert eventually(lambda: alert not in {name for name, _ in alert_states()}, 600, pause=5), alert
    window = window_of(alert)
    if looks_back is not None:
        window = replace(window, range=looks_back)
    limit = window.seconds + condition_seconds + GRACE_SECONDS
    begun = time.time()
    mended = begun
    try:
        with fault:
            eventually(lambda: _everywhere(alert, begun, "firing"), limit + _PATIENCE_SECONDS, _POLL_SECONDS)
            time.sleep(hold_seconds)
        mended = time.time()
        eventually(
            lambda: _everywhere(alert, begun, "resolved"), window.seconds + _PATIENCE_SECONDS, _POLL_SECONDS
        )
    finally:
        course = _course(alert, begun, mended)
        _record(course, window, condition_seconds, limit, begun)
    return course


def _everywhere(alert: str, begun: float, state: str) -> bool:
    return all(chats.messages(chat, alert, state, begun) for chat in chats.CHATS)


def _course(alert: str, begun: float, mended: float) -> Course:
    fired = {chat: chats.messages(chat, alert, "firing", begun) for chat in chats.CHATS}
    resolved = {chat: chats.messages(chat, alert, "resolved", begun) for chat in chats.CHATS}

    def latest(found: dict[str, list[chats.Message]], since: float) -> float:
        return max(said[0].at for said in found.values()) - since if all(found.values()) else -1.0

    return Course(
        alert,
        {chat: len(said) for chat, said in fired.items()},
        {chat: len(said) for chat, said in resolved.items()},
        latest(fired, begun),
        latest(resolved, mended),
    )


def _record(course: Course, window: Window, condition_seconds: float, limit: float, begun: float) -> None:
    name = course.alert
    others = fired_between(begun, time.time()) - {name}
    record(
        {
            f"{name}_fired_s": round(course.fired_seconds, 1),
            f"{name}_window_s": round(window.seconds + condition_seconds, 1),
            f"{name}_bar_s": round(limit, 1),
            f"{name}_within_bar": 0.0 <= course.fired_seconds <= limit,
            f"{name}_delivered": farthest_from_one(course.fired),
            f"{name}_resolved": farthest_from_one(course.resolved),
            f"{name}_resolved_s": round(course.resolved_seconds, 1),
            **{f"{name}_delivered_{chat}": count for chat, count in course.fired.items()},
            **{f"{name}_resolved_{chat}": count for chat, count in course.resolved.items()},
            f"{name}_with_it": " ".join(sorted(others)),
        },
        {f"{name}_window": [vars(window), {"condition": condition_seconds}]},
    )


def farthest_from_one(counts: dict[str, int]) -> int:
    """Return the count that is farthest from 1: it is 1 only where every chat got exactly one message."""
    return max(counts.values(), key=lambda count: abs(count - 1))
