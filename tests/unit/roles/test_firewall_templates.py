from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.roles.rendering import render


def _rules(folder: Path) -> str:
    return render(
        "firewall", "docker_user.rules.j2", folder, {"firewall_container_interfaces": ["docker+", "x-+"]}
    ).read_text()


def test_what_may_pass_stands_before_the_drop(tmp_path: Path) -> None:
    rules = [line for line in _rules(tmp_path).splitlines() if line.startswith("-A ")]
    drops = [number for number, rule in enumerate(rules) if rule.endswith("-j DROP")]
    assert [rules[number] for number in drops] == [
        "-A DOCKER-USER -o docker+ -j DROP",
        "-A DOCKER-USER -o x-+ -j DROP",
    ]
    before = rules[: drops[0]]
    assert "RELATED,ESTABLISHED" in before[0]
    assert {match for rule in before for match in re.findall(r"-i (\S+) -j RETURN", rule)} == {
        "lo",
        "docker+",
        "x-+",
    }


@pytest.mark.parametrize("program", ["iptables-restore", "ip6tables-restore"])
def test_iptables_takes_the_block(tmp_path: Path, program: str) -> None:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    file = tmp_path / "rules"
    file.write_text(_rules(tmp_path))
    done = subprocess.run([found, "--test", "--noflush", str(file)], capture_output=True, text=True)
    if "Permission denied" in done.stderr:
        pytest.skip(f"{program} needs root even to check")
    assert done.returncode == 0, done.stderr
