"""The host leaves the group: what watched it is gone, and the assistant answers on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machines_monitoring.join import GROUP_FILE
from tests.machines_monitoring.services import GRAFANA_PORT, PORTS, units
from tests.machines_verify.leaving import Afterwards, without_group
from tests.machines_verify.machine_access import on_machine


@pytest.fixture(scope="module", autouse=True)
def without_the_group() -> Iterator[list[str]]:
    """The inventory without its group ``monitoring``, applied; gives the units that there were."""
    there = sorted(units().values())
    assert len(there) >= len(PORTS), there
    with without_group(GROUP_FILE):
        yield there


def test_nothing_listens_any_more() -> None:
    ports = " or ".join(f"sport = :{port}" for port in (*PORTS, GRAFANA_PORT))
    assert on_machine(f"ss -Hltn '( {ports} )'") == ""


def test_its_units_are_gone(without_the_group: list[str]) -> None:
    for unit in without_the_group:
        assert on_machine(f"systemctl show -p ActiveState --value {unit}").strip() == "inactive", unit
        assert on_machine(f"systemctl is-enabled {unit} 2>/dev/null || true").strip() != "enabled", unit
    assert on_machine("systemctl --failed --no-legend --plain").strip() == ""


def test_its_secrets_are_gone() -> None:
    assert (
        on_machine(
            "ls -d /etc/alert-relay /etc/alertmanager /etc/ai-assistant/alert-relay 2>/dev/null || true"
        )
        == ""
    )


class TestAfterwards(Afterwards):
    """What the host was for goes on."""
