"""The window that the monitoring scenario gives an alert."""

from __future__ import annotations

import pytest

from tests.machines_monitoring.promql import longest_range, seconds

RECORDED = {
    "assistant:error_ratio": "rate(assistant_messages_total[1m]) / rate(assistant_requests_total[2m])",
    "assistant:of_another": "assistant:error_ratio > 0",
    "assistant:of_itself": "assistant:of_itself or vector(0)",
}


@pytest.mark.parametrize(
    ("duration", "expected"),
    [("15s", 15), ("1m30s", 90), ("1h", 3600), ("3d", 259200), ("0s", 0), ("500ms", 0.5)],
)
def test_a_duration_is_read(duration: str, expected: float) -> None:
    assert seconds(duration) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("up == 0", (0, 0)),
        ("rate(x[5m]) > 1", (300, 0)),
        ("max_over_time(rate(x[1m])[30m:1m])", (1800, 0)),
        ("assistant:error_ratio > 0.05", (120, 1)),
        ('assistant:of_another{instance="a"} > 0 and rate(x[30s])', (120, 2)),
        ("assistant:of_itself", (0, 1)),
        ("assistant:unknown", (0, 0)),
    ],
)
def test_a_query_looks_as_far_back_as_the_rules_behind_it(query: str, expected: tuple[float, int]) -> None:
    assert longest_range(query, RECORDED) == expected
