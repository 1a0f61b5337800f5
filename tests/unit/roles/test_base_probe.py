"""What base looks at before anything is changed, and the settings of updates and restarts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks
from tests.unit.roles.refusals import Judge, Refusals
from tests.unit.roles.rendering import render


def probe(minimum: int = 0, timezone: str = "Etc/UTC") -> list[list[str]]:
    script = f"timezone={timezone}; minimum={minimum}\n" + (ROOT / "roles/base/files/probe.sh").read_text()
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    return [line.split("|") for line in done.stdout.splitlines()]


def test_a_full_file_system_is_named_with_what_it_has_and_needs() -> None:
    rooms = {line[1]: line for line in probe(minimum=10**9) if line[0] == "room"}
    assert rooms.keys() == {"/", "/etc", "/tmp", "/var"}
    assert all(int(line[2]) < int(line[3]) for line in rooms.values())
    assert not [line for line in probe() if line[0] == "room"]


@pytest.mark.skipif(not Path("/usr/share/zoneinfo").is_dir(), reason="this host has no time zones")
def test_an_unknown_time_zone_is_named() -> None:
    assert ["timezone", "unknown"] in probe(timezone="Mars/Olympus")
    assert ["timezone", "unknown"] not in probe()


# What an operator may meet, and the words that must lead him out of it.
MISTAKES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "full": (
        {"base_minimum_free_mb": 10**9},
        ["/var has ", "MiB free and needs 1000000000", "base_minimum_free_mb: 512", "main.yml", "du -xh"],
    ),
    "release": (
        {"base_supported_releases": ["Plan 9"]},
        ["base_supported_releases", "Plan 9", "hosts.yml", "example"],
    ),
    "servers": ({"base_ntp_servers": ["a b"]}, ["base_ntp_servers", "ntp.example.org", "main.yml"]),
    "negative": ({"base_apt_lock_seconds": -1}, ["base_apt_lock_seconds", "300", "main.yml"]),
}
GOOD = {"base_supported_releases": [".*"], "base_minimum_free_mb": 0, "base_minimum_memory_mb": 1}


class TestMistakes(Refusals, role="base", good={"good": {}}, mistakes=MISTAKES, given=GOOD):
    """What an operator may get wrong, and a host that will not do."""

    @classmethod
    def prepare(cls, judge: Judge) -> None:
        judge.tasks.append({"ansible.builtin.setup": {"gather_subset": ["hardware", "virtual"]}})


def test_a_program_that_holds_a_lock_is_named(tmp_path: Path) -> None:
    """The role's own messages with a lock that was found; the lock itself is held on a machine's test."""
    found = {"rc": 0, "stdout": "", "stdout_lines": ["lock|/var/lib/dpkg/lock|417|apt-get upgrade\r"]}
    vars_file = str(ROOT / "roles/base/vars/main.yml")
    run_tasks(
        tmp_path,
        [
            {"ansible.builtin.include_vars": vars_file},
            {
                "ansible.builtin.copy": {
                    "content": "{{ _base_locks | to_json }}",
                    "dest": str(tmp_path / "locks"),
                    "mode": "0600",
                }
            },
        ],
        {"_base_probe": found},
    )
    assert json.loads((tmp_path / "locks").read_text()) == [
        ["lock", "/var/lib/dpkg/lock", "417", "apt-get upgrade"]
    ]


def test_needrestart_restarts_by_itself_but_not_docker(tmp_path: Path) -> None:
    path = render("base", "needrestart.conf.j2", tmp_path)
    program = (
        f"our %nrconf; do '{path}'; die $@ if $@; print $nrconf{{restart}}; "
        'for my $name ("docker.service", "containerd.service", "ssh.service") '
        "{ print ' ', (grep { $name =~ $_ } keys %{$nrconf{override_rc}}) ? 'kept' : 'restarted' }"
    )
    done = subprocess.run(["perl", "-e", program], capture_output=True, text=True)
    assert done.stdout == "a kept kept restarted", done.stderr


def test_updates_come_from_the_security_archives_of_both_systems(tmp_path: Path) -> None:
    path = render("base", "apt.conf.j2", tmp_path)
    done = subprocess.run(["apt-config", "-c", str(path), "dump"], capture_output=True, text=True, check=True)
    origins = [line for line in done.stdout.splitlines() if "Origins-Pattern::" in line]
    assert any("origin=Debian,codename=${distro_codename}-security" in line for line in origins)
    assert any("origin=Ubuntu,archive=${distro_codename}-security" in line for line in origins)
