"""Every query of every panel, asked of the Prometheus that watches the deployed assistant."""

from __future__ import annotations

from tests.machines_monitoring.bridge import bridge
from tests.monitoring_queries import problems


def test_every_panel_has_an_answer() -> None:
    # What people did in the last hour is shown: the load, and the faults.
    with bridge() as url:
        assert problems(url, shown=3600, step=60) == []
