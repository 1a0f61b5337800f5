"""The role auditing on a machine with a kernel of its own: VIRTUAL=1 python -m pytest tests/virtual."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.virtual.virtual_machine import VirtualMachine

pytestmark = pytest.mark.skipif(
    os.environ.get("VIRTUAL") != "1", reason="VIRTUAL=1 asks for the virtual machine, which takes 15 minutes"
)


@pytest.fixture(scope="module")
def machine() -> Iterator[VirtualMachine]:
    virtual = VirtualMachine()
    virtual.make()
    try:
        virtual.boot()
        yield virtual
    finally:
        virtual.stop()


@pytest.fixture(scope="module")
def deploy(machine: VirtualMachine, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run a part of the role; return (number of changes, what Ansible printed)."""
    folder = tmp_path_factory.mktemp("deploy")

    def run(*options: str, part: str = "main", **values: Any) -> tuple[int, str]:
        host = {
            "ansible_host": "127.0.0.1",
            "ansible_port": machine.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(machine.key),
            "ansible_ssh_common_args": " ".join(machine.ssh_options()),
        }
        inventory = {"all": {"hosts": {"virtual": host}}}
        (folder / "inventory.json").write_text(json.dumps(inventory))
        task = {"ansible.builtin.import_role": {"name": "auditing", "tasks_from": part}}
        shown = {"ansible.builtin.debug": {"var": "_auditing_skipped"}}
        (folder / "play.json").write_text(json.dumps([{"hosts": "all", "tasks": [task, shown]}]))
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            str(folder / "play.json"),
            *options,
        ]
        command += ["-i", str(folder / "inventory.json"), "--extra-vars", json.dumps(values)]
        environment = {**os.environ, "ANSIBLE_CACHE_PLUGIN": "memory"}
        environment["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200, check=False
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        changes = re.search(r"changed=(\d+)", done.stdout)
        assert changes
        return int(changes[1]), done.stdout

    return run


def on(machine: VirtualMachine, command: str) -> str:
    done = machine.ssh(command)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def loaded(machine: VirtualMachine) -> tuple[str, str]:
    """Return how many rules the kernel has, and how many the file."""
    answer = on(machine, "auditctl -l | grep -c '^-'; grep -c '^-[aAw] ' /etc/audit/audit.rules")
    kernel, file = answer.split()
    return kernel, file


def test_check_mode_works_on_a_fresh_machine(machine: VirtualMachine, deploy: Any) -> None:
    on(machine, "apt-get update")
    changes, _ = deploy("--check", "--diff")
    assert changes > 0
    assert machine.ssh("test -e /etc/audit").returncode == 1


def test_the_kernel_takes_every_rule_and_locks_them(machine: VirtualMachine, deploy: Any) -> None:
    changes, printed = deploy()
    assert changes > 0 and "_auditing_skipped: []" in printed
    kernel, file = loaded(machine)
    assert kernel == file and int(kernel) > 40
    status = on(machine, "auditctl -s")
    assert "enabled 2" in status and "failure 1" in status and "backlog_limit 8192" in status
    assert "audit=1 audit_backlog_limit=8192" in on(machine, "cat /boot/grub/grub.cfg")


def test_a_second_run_changes_nothing(deploy: Any) -> None:
    assert deploy()[0] == 0
    assert deploy("--check")[0] == 0


def test_what_people_do_is_recorded(machine: VirtualMachine) -> None:
    name = f"audit-{uuid.uuid4().hex[:8]}"
    on(machine, f"useradd --create-home {name} && passwd --delete {name}")
    assert name in on(machine, "ausearch --input-logs --interpret --key identity --start recent")
    # A session has the user's own id as its audit id, which PAM sets at login.
    on(machine, f"cp -r /root/.ssh ~{name}/ && chown -R {name}: ~{name}/.ssh")
    machine.ssh("cat /etc/shadow; su --version; touch one; chmod 600 one; rm one", user=name)
    expected = {"access": "/etc/shadow", "privileged": "/usr/bin/su", "perm_mod": "one", "delete": "one"}
    for key, found in expected.items():
        records = on(machine, f"ausearch --input-logs --interpret --key {key} --start recent")
        assert found in records and f"auid={name}" in records, key


def test_process_accounting_and_sysstat_record(machine: VirtualMachine) -> None:
    on(machine, "tac /etc/hostname")
    assert "tac" in on(machine, "lastcomm tac")
    timers = on(machine, "systemctl is-active acct sysstat-collect.timer sysstat-summary.timer")
    assert timers.split() == ["active"] * 3


def test_a_new_rule_waits_for_a_reboot_and_the_run_says_so(machine: VirtualMachine, deploy: Any) -> None:
    values = {"auditing_extra_rules": ["-w /etc/nginx -p wa -k proxy"]}
    kernel, _ = loaded(machine)
    changes, printed = deploy(**values)
    assert changes > 0 and "hold from the next reboot on" in printed
    assert loaded(machine) == (kernel, str(int(kernel) + 1))
    on(machine, "test -e /run/reboot-required && grep auditd /run/reboot-required.pkgs")
    assert deploy(**values)[0] == 0
    machine.reboot()
    assert loaded(machine) == (str(int(kernel) + 1), str(int(kernel) + 1))
    assert "enabled 2" in on(machine, "auditctl -s")
    assert machine.ssh("test -e /run/reboot-required").returncode == 1


def test_a_full_log_does_not_stop_the_machine(machine: VirtualMachine) -> None:
    settings = on(machine, "cat /etc/audit/auditd.conf")
    assert not re.search(r"= (halt|single)", settings)
    on(machine, "systemctl kill --signal=STOP auditd")
    # Nobody takes the messages; programs go on all the same, and the kernel counts what it lost.
    on(machine, "for i in $(seq 300); do date --set=@$(date +%s) >/dev/null; done")
    on(machine, "systemctl kill --signal=CONT auditd && auditctl -s | grep lost")


def test_uninstalling_leaves_nothing_for_the_next_boot(machine: VirtualMachine, deploy: Any) -> None:
    deploy(part="uninstall")
    assert on(machine, "find /etc/audit /etc/default/grub.d -name '*ai-assistant*' 2>/dev/null || true") == ""
    assert "audit=1" not in on(machine, "cat /boot/grub/grub.cfg")
    machine.reboot()
    assert machine.ssh("pgrep -x auditd || pgrep -x sadc").returncode == 1
    assert on(machine, "systemctl is-system-running").strip() == "running"
