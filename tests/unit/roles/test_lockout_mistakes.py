"""What an operator may get wrong about the role lockout: refused before any change, with a way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.roles.refusals import Refusals

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


class TestMistakes(Refusals, role="lockout", file=MAIN, good=GOOD, mistakes=MISTAKES):
    """Over an SSH connection, as sshd tells it to whoever logs in; Ansible's own is local here."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def connection(cls) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSH_CONNECTION", "192.0.2.7 4022 192.0.2.1 22")
            yield
