"""The host leaves the group: what watched it is gone, and the assistant answers on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machines_monitoring.join import GROUP_FILE
from tests.machines_monitoring.services import GRAFANA_PORT, PORTS, units
from tests.machines_verify.machine_access import on_machine
from tests.machines_verify.served_model import INVENTORY, says
from tests.machines_verify.site_run import run_site


@pytest.fixture(scope="module", autouse=True)
def without_the_group() -> Iterator[list[str]]:
    """The inventory without its group ``monitoring``, applied; gives the units that there were."""
    there = sorted(units().values())
    assert len(there) >= len(PORTS), there
    group = INVENTORY / GROUP_FILE
    aside = group.with_name(f"{GROUP_FILE}.bak")  # an ending that Ansible does not read
    group.rename(aside)
    try:
        run = run_site(INVENTORY)
        assert run.status == 0, run.output[-3000:]
        assert run.changed > 0
        yield there
    finally:
        aside.rename(group)


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


def test_the_assistant_answers_on() -> None:
    assert says("Hello").strip()


def test_another_run_changes_nothing() -> None:
    run = run_site(INVENTORY)
    assert run.status == 0, run.output[-3000:]
    assert run.changed == 0, run.output[-3000:]
