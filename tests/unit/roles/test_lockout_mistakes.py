"""What an operator may get wrong about the role lockout: refused before any change, with a way out."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.unit.roles.playbook import run_tasks
from tests.unit.roles.test_operator_mistakes import attempt

MAIN = "inventory/<yours>/group_vars/assistant/main.yml"
DENY_ALL = {"permission": "-", "users": ["ALL"], "origins": ["ALL"]}
MISTAKES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no tries": ({"lockout_deny": 0}, ["lockout_deny (0)", "for example 5"]),
    "no time": ({"lockout_unlock_seconds": 0}, ["lockout_unlock_seconds (0)", "900"]),
    "a port out of range": ({"lockout_ssh_port": 70000}, ["lockout_ssh_port (70000)", "for example 22"]),
    "a name that is never banned": (
        {"lockout_ignore_addresses": ["office.example.org"]},
        ["lockout_ignore_addresses", "203.0.113.0/24"],
    ),
    "nobody is ever banned": ({"lockout_ignore_addresses": ["ALL"]}, ["lockout_ignore_addresses"]),
    "a ban that shrinks": (
        {"lockout_ssh_increment": True, "lockout_ssh_increment_max_seconds": 60},
        ["lockout_ssh_increment_max_seconds (60)", "86400"],
    ),
    "no factor": ({"lockout_ssh_increment_factor": 0}, ["lockout_ssh_increment_factor (0)"]),
    "a group with a space": ({"lockout_login_group": "ssh users"}, ["lockout_login_group", "ssh-users"]),
    "no origins": ({"lockout_access_origins": []}, ["lockout_access_origins", "at least one"]),
    "a host name as origin": ({"lockout_access_origins": ["example.org"]}, ["lockout_access_origins", "DNS"]),
    "a rule without users": (
        {"lockout_access_rules": [{"permission": "+", "origins": ["ALL"]}]},
        ["lockout_access_rules, rule 1"],
    ),
    "a rule that shuts the run out": (
        {"lockout_access_rules": [DENY_ALL]},
        [
            "from 192.0.2.7",
            '"-:ALL:ALL" is the first',
            "lockout_access_origins: [192.0.2.7, LOCAL]",
            "Nothing was changed",
        ],
    ),
    "origins that shut the run out": (
        {"lockout_access_origins": ["198.51.100.0/24"]},
        ["from 192.0.2.7", "for example lockout_access_origins"],
    ),
}
GOOD: dict[str, dict[str, Any]] = {
    "defaults": {},
    "origins that let the run in": {"lockout_access_origins": ["192.0.2.0/24", "LOCAL"]},
    "rules that are not asked": {"lockout_access_rules": [DENY_ALL], "lockout_access_enabled": False},
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the role says to each mistake; one run of Ansible for all of them."""
    folder, results = tmp_path_factory.mktemp("mistakes"), tmp_path_factory.mktemp("said")
    tasks = [attempt(name, "lockout", values, results) for name, values in GOOD.items()]
    tasks += [attempt(name, "lockout", values, results) for name, (values, _) in MISTAKES.items()]
    with pytest.MonkeyPatch.context() as patch:
        # As sshd tells it to whoever logs in; Ansible's own connection is local here.
        patch.setitem(os.environ, "SSH_CONNECTION", "192.0.2.7 4022 192.0.2.1 22")
        run_tasks(folder, tasks)
    return {path.name: " ".join(path.read_text().split()) for path in results.iterdir()}


@pytest.mark.parametrize("name", GOOD)
def test_good_values_are_not_complained_about(said: dict[str, str], name: str) -> None:
    assert name not in said, said[name]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_file_and_an_example(said: dict[str, str], name: str) -> None:
    for word in [*MISTAKES[name][1], MAIN]:
        assert word in said.get(name, "nothing was said"), json.dumps(said.get(name))
