"""The records of the machine: sysstat everywhere, auditd and accounting where it has a kernel of its own."""

from __future__ import annotations

import uuid

import pytest

from tests.machines_verify.machine_access import on_machine, run_as_root

# systemd-detect-virt --container ends with 0 in a container.
IN_CONTAINER = run_as_root("systemd-detect-virt --quiet --container").returncode == 0
own_kernel = pytest.mark.skipif(
    IN_CONTAINER, reason="a container has neither an audit nor accounting of its own"
)


def test_sysstat_records_and_keeps_it_to_itself() -> None:
    size = "cat /var/log/sysstat/sa[0-9]* | wc -c"
    before = int(on_machine(size))
    on_machine("systemctl start sysstat-collect.service")
    assert int(on_machine(size)) > before
    timers = on_machine("systemctl is-active sysstat-collect.timer sysstat-summary.timer")
    assert timers.split() == ["active", "active"]
    assert on_machine("find /var/log/sysstat -type f -perm /0137") == ""


@pytest.mark.skipif(not IN_CONTAINER, reason="this machine has a kernel of its own")
def test_a_container_gets_nothing_that_cannot_run_there() -> None:
    assert run_as_root("dpkg-query -W -f '${Status}' auditd | grep -q '^install ok'").returncode != 0
    assert run_as_root("dpkg-query -W -f '${Status}' acct | grep -q '^install ok'").returncode != 0
    assert "auditd" not in on_machine("systemctl list-units --failed --no-legend --plain")


@own_kernel
def test_the_kernel_has_every_rule_and_they_are_locked() -> None:
    loaded = on_machine("auditctl -l | grep -c '^-'").strip()
    assert int(loaded) > 40
    assert loaded == on_machine("grep -c '^-[aAw] ' /etc/audit/audit.rules").strip()
    assert "enabled 2" in on_machine("auditctl -s")
    assert "immutable mode" in run_as_root("auditctl -D").stderr


@own_kernel
def test_a_change_of_accounts_is_recorded() -> None:
    name = f"audit-{uuid.uuid4().hex[:8]}"
    on_machine(f"useradd {name} && userdel {name}")
    assert name in on_machine("ausearch --input-logs --interpret --key identity --start recent")


@own_kernel
def test_what_ran_is_recorded() -> None:
    on_machine("/usr/bin/tac /etc/hostname")
    assert "tac" in on_machine("lastcomm tac")
