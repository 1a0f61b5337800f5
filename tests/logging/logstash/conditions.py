"""Whether a condition holds for an event."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from tests.logging.logstash.event import Event, EventError
from tests.logging.logstash.language import Condition, Field, Regex

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _value(operand: Any, event: Event) -> Any:
    if isinstance(operand, Field):
        return event.get("".join(f"[{name}]" for name in operand.path))
    return operand


def _contains(left: Any, right: Any) -> bool:
    if isinstance(right, str):
        return isinstance(left, str) and left in right
    return isinstance(right, list) and left in right


def holds(condition: Any, event: Event) -> bool:
    """Return whether ``condition`` holds; a bare value does where it is neither missing nor false.

    Raises:
        EventError: Values are compared that have no order.
    """
    if not isinstance(condition, Condition):
        value = _value(condition, event)
        return value is not None and value is not False
    what, operands = condition.what, condition.operands
    if what in ("all", "any", "not"):
        answers = (holds(operand, event) for operand in operands)
        return not next(answers) if what == "not" else all(answers) if what == "all" else any(answers)
    left = _value(operands[0], event)
    if what in ("=~", "!~"):
        pattern = operands[1]
        assert isinstance(pattern, Regex)
        flags = re.ASCII | re.MULTILINE
        found = isinstance(left, str) and re.search(pattern.pattern.replace("\\/", "/"), left, flags)
        return bool(found) == (what == "=~")
    right = _value(operands[1], event)
    if what in ("in", "not in"):
        return _contains(left, right) == (what == "in")
    if what in ("==", "!="):
        return bool(left == right) == (what == "==")
    if left is None:
        return False
    try:
        return _ORDERS[what](left, right)
    except TypeError as error:
        raise EventError(f"{left!r} {what} {right!r}: these have no order") from error
