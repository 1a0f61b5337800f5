"""What auditd is told, for both architectures; names of system calls are looked up in audit's own tables."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.rendering import render

TABLES = {("x86_64", "b64"): "x86_64", ("x86_64", "b32"): "i386", ("aarch64", "b64"): "aarch64"}


def rules(folder: Path, architecture: str = "x86_64", **values: Any) -> list[str]:
    facts = {"ansible_facts": {"architecture": architecture}}
    text = render("auditing", "audit.rules.j2", folder, {**facts, **values}).read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def calls(lines: list[str]) -> set[tuple[str, str]]:
    """Return each (interface, name of a system call) that the rules name."""
    found = set()
    for line in lines:
        interface = re.search(r"arch=(b\d\d)", line)
        for names in re.findall(r" -S (\S+)", line):
            assert interface, line
            found |= {(interface[1], name) for name in names.split(",") if not name.isdigit()}
    return found


@pytest.mark.skipif(
    shutil.which("ausyscall") is None, reason="auditd, which knows the calls, is not installed"
)
@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_each_interface_has_the_calls_that_its_rules_name(tmp_path: Path, architecture: str) -> None:
    found = calls(rules(tmp_path, architecture))
    assert len(found) > 20
    for interface, name in sorted(found):
        table = TABLES[architecture, interface]
        done = subprocess.run(["ausyscall", table, name, "--exact"], capture_output=True, text=True)
        assert done.returncode == 0, f"{table} has no {name}: {done.stderr}"


def test_arm64_has_one_interface_and_no_old_calls(tmp_path: Path) -> None:
    found = calls(rules(tmp_path, "aarch64"))
    assert {interface for interface, _ in found} == {"b64"}
    names = {name for _, name in found}
    assert names.isdisjoint({"open", "creat", "unlink", "rename", "chmod", "chown", "rmdir"})
    assert names >= {"openat", "unlinkat", "renameat", "fchmodat", "fchownat"}


def test_x86_watches_the_32_bit_interface_as_well(tmp_path: Path) -> None:
    by_interface: dict[str, set[str]] = {"b64": set(), "b32": set()}
    for interface, name in calls(rules(tmp_path)):
        by_interface[interface].add(name)
    assert by_interface["b64"] - by_interface["b32"] == {"kexec_load"}
    assert by_interface["b32"] <= by_interface["b64"]


def test_each_subject_of_the_benchmark_has_a_key(tmp_path: Path) -> None:
    keys = {line.rsplit(" ", 1)[1] for line in rules(tmp_path) if line.startswith(("-a", "-w"))}
    assert keys >= {
        *("scope", "user_emulation", "sudo_log_file", "time-change", "system-locale", "access", "identity"),
        *("perm_mod", "mounts", "session", "logins", "delete", "MAC-policy", "perm_chng", "usermod"),
        "kernel_modules",
    }


def test_privileged_commands_of_the_host_are_audited_and_folders_of_containers_are_not_searched(
    tmp_path: Path,
) -> None:
    found = {"stdout_lines": ["grub", "loaded", "/usr/bin/mount", "/usr/bin/passwd"]}
    lines = rules(tmp_path, _auditing_look_result=found)
    privileged = [line for line in lines if line.endswith("-k privileged")]
    assert privileged == [
        f"-a always,exit -F path=/usr/bin/{name} -F perm=x -F auid>=1000 -F auid!=unset -k privileged"
        for name in ("mount", "passwd")
    ]


def test_no_rule_stands_twice(tmp_path: Path) -> None:
    """The kernel refuses the second one, and every rule after it."""
    lines = rules(tmp_path)
    assert len(set(lines)) == len(lines)


def test_the_host_goes_on_by_default_and_the_rules_are_locked(tmp_path: Path) -> None:
    lines = rules(tmp_path)
    assert lines[:4] == ["-D", "-b 8192", "-f 1", "--backlog_wait_time 0"]
    assert lines[-1] == "-e 2"
    settings = render("auditing", "auditd.conf.j2", tmp_path).read_text()
    assert re.findall(r"^\w+_action = (\S+)$", settings, re.MULTILINE) == [
        *("rotate", "syslog", "suspend", "suspend", "syslog", "syslog"),
    ]


def test_extra_rules_come_before_the_lock(tmp_path: Path) -> None:
    extra = "-w /etc/nginx/ -p wa -k proxy"
    lines = rules(tmp_path, auditing_extra_rules=[extra], auditing_immutable=False)
    assert lines[-2:] == [extra, "-e 1"]


def test_sysstat_keeps_its_files_to_itself(tmp_path: Path) -> None:
    text = render("auditing", "sysstat.j2", tmp_path, {"auditing_sysstat_days": 9}).read_text()
    assert {"HISTORY=9", "UMASK=0027"} <= set(text.splitlines())


def test_a_privileged_command_is_recorded_as_one(tmp_path: Path) -> None:
    """The kernel records under the first rule that fits; su fits the one of other users, too."""
    lines = rules(tmp_path, _auditing_look_result={"stdout_lines": ["/usr/bin/su"]})
    privileged = [number for number, line in enumerate(lines) if line.endswith("-k privileged")]
    emulation = [number for number, line in enumerate(lines) if line.endswith("-k user_emulation")]
    assert len(privileged) == 1 and len(emulation) == 2
    assert max(privileged) < min(emulation)
