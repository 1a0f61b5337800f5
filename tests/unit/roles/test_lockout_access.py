"""The rules of access.conf, judged before they are written: whom they let in, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.loading import load_file
from tests.unit.roles.playbook import render

access_rules = load_file(ROOT / "roles/lockout/filter_plugins/access_rules.py")


def rule(text: str) -> dict[str, Any]:
    permission, users, origins = text.split(":", 2)
    return {"permission": permission, "users": users.split(), "origins": origins.split()}


@pytest.mark.parametrize(
    ("rules", "allowed", "decided_by"),
    [
        (["+:alice:ALL", "-:ALL:ALL"], True, "+:alice:ALL"),
        (["+:bob:ALL", "-:ALL:ALL"], False, "-:ALL:ALL"),
        (["-:ALL:ALL", "+:alice:ALL"], False, "-:ALL:ALL"),
        (["+:(staff):192.0.2.0/24", "-:ALL:ALL"], True, "+:(staff):192.0.2.0/24"),
        (["+:(staff):192.0.3.0/24", "-:ALL:ALL"], False, "-:ALL:ALL"),
        (["+:(others):ALL", "-:ALL:ALL"], False, "-:ALL:ALL"),
        # nodefgroup: without parentheses it is a user, whatever groups there are
        (["+:staff:ALL", "-:ALL:ALL"], False, "-:ALL:ALL"),
        (["+:alice:LOCAL", "-:ALL:ALL"], False, "-:ALL:ALL"),
        (["+:alice:2001:db8::/32 192.0.2.7", "-:ALL:ALL"], True, "+:alice:2001:db8::/32 192.0.2.7"),
        (["-:alice bob:192.0.2.4/30", "+:ALL:ALL"], False, "-:alice bob:192.0.2.4/30"),
    ],
)
def test_the_first_rule_that_matches_decides(rules: list[str], allowed: bool, decided_by: str) -> None:
    decision = access_rules.access_decision([rule(each) for each in rules], "alice", ["staff"], "192.0.2.7")
    assert decision == {"allowed": allowed, "rule": decided_by}


@pytest.mark.parametrize(
    ("origin", "address", "allowed"),
    [
        ("2001:db8::/32", "2001:db8:1::9", True),
        ("2001:db8::/32", "2001:db9::9", False),
        ("2001:db8::9", "2001:DB8:0::9", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("0.0.0.0/0", "2001:db8::9", False),
        ("192.0.2.128/25", "192.0.2.127", False),
    ],
)
def test_ipv6_and_masks(origin: str, address: str, allowed: bool) -> None:
    rules = [{"permission": "+", "users": ["ALL"], "origins": [origin]}, rule("-:ALL:ALL")]
    assert access_rules.access_decision(rules, "alice", [], address)["allowed"] is allowed


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("+:alice:ALL", ["no list"]),
        ([["+", "alice", "ALL"]], ["permission, users and origins"]),
        ([{**rule("+:alice:ALL"), "note": "x"}], ["nothing else"]),
        ([{**rule("+:alice:ALL"), "permission": "allow"}], ["'allow'", "in quotes"]),
        ([{**rule("+:alice:ALL"), "users": "alice"}], ["users must be a list"]),
        ([{**rule("+:alice:ALL"), "origins": []}], ["origins must be a list of at least one"]),
        ([rule("+:Alice:ALL")], ["'Alice'", "(group) in parentheses"]),
        ([{**rule("+:alice:ALL"), "users": ["(staff):ALL"]}], ["'(staff):ALL'"]),
        ([rule("+:alice:office.example.org")], ["office.example.org", "host names are refused"]),
        ([rule("+:alice:tty1")], ["'tty1'"]),
        ([rule("+:alice:192.0.2.1/24")], ["192.0.2.1/24", "for example 192.0.2.0/24"]),
        ([rule("+:alice:192.0.2.0/33")], ["192.0.2.0/33"]),
        ([rule("+:alice:2001:db8::1/64")], ["for example 2001:db8::/64"]),
        ([rule("+:alice:ALL"), rule("+:alice:nowhere")], ["rule 2"]),
    ],
)
def test_a_wrong_rule_is_named(wrong: object, words: list[str]) -> None:
    problems = " ".join(access_rules.access_problems(wrong, "lockout_access_rules"))
    for word in ["lockout_access_rules", *words]:
        assert word in problems, problems


def test_right_rules_have_no_problems() -> None:
    rules = [rule("+:alice (staff) ALL:ALL LOCAL 192.0.2.1 192.0.2.0/24 2001:db8::/64 ::1")]
    assert access_rules.access_problems(rules, "x") == []
    assert access_rules.origin_problems(["ALL"], "x") == []
    assert access_rules.origin_problems([], "lockout_access_origins")


def test_a_file_that_differs_in_content_owner_or_mode_is_stale() -> None:
    import hashlib

    digest = hashlib.sha256(b"right\n").hexdigest()
    files = [
        {"path": f"/{name}", "content": "right\n"} for name in ("same", "other", "loose", "absent", "theirs")
    ]
    lines = [
        f"file {digest} root:root 644 /same",
        f"file {'0' * 64} root:root 644 /other",
        f"file {digest} root:root 666 /loose",
        f"file {digest} alice:root 644 /theirs",
    ]
    stale = access_rules.stale_files(files, lines)
    assert [file["path"] for file in stale] == ["/other", "/loose", "/absent", "/theirs"]


LINE = "account required pam_access.so"


@pytest.mark.parametrize(
    ("lines", "enabled", "stale"),
    [
        ([], True, ["sshd", "login"]),
        ([f"pam sshd {LINE}", f"pam login {LINE}"], True, []),
        ([f"pam sshd {LINE}", f"pam login {LINE} debug"], True, ["login"]),
        ([f"pam sshd {LINE}", f"pam sshd {LINE} debug", f"pam login {LINE}"], True, ["sshd"]),
        ([f"pam sshd {LINE}"], False, ["sshd"]),
        ([f"pam sshd {LINE} debug"], False, []),
    ],
)
def test_services_that_do_not_ask_as_they_should(lines: list[str], enabled: bool, stale: list[str]) -> None:
    assert access_rules.stale_services(["sshd", "login"], lines, LINE, enabled) == stale


# --- the rules that the role makes of its variables ---

CONNECTED = {"stdout_lines": ["operator", "operator sudo", "192.0.2.7 4022 192.0.2.1 22"]}


def written(folder: Path, **values: Any) -> list[str]:
    # Ansible finds the role's filters where it is told to.
    text = render(folder, "lockout", "access.conf.j2", {"_lockout_connection": CONNECTED, **values})
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_the_console_is_roots_and_everybody_else_is_refused(tmp_path: Path) -> None:
    assert written(tmp_path) == ["+:root:LOCAL", "+:(sudo):LOCAL", "+:(ssh-users):ALL", "-:ALL:ALL"]


def test_an_operators_rules_stand_before_the_groups_and_never_before_roots_console(tmp_path: Path) -> None:
    rules = [rule("-:backup:ALL"), rule("+:(auditors):2001:db8::/64")]
    assert written(
        tmp_path,
        lockout_access_rules=rules,
        lockout_login_group="people",
        lockout_access_origins=["203.0.113.0/24", "LOCAL"],
    ) == [
        "+:root:LOCAL",
        "-:backup:ALL",
        "+:(auditors):2001:db8::/64",
        "+:(sudo):LOCAL",
        "+:(people):203.0.113.0/24 LOCAL",
        "-:ALL:ALL",
    ]


def test_root_comes_in_over_ssh_only_where_ansible_comes_as_root(tmp_path: Path) -> None:
    as_root = {"stdout_lines": ["root", "root", "192.0.2.7 4022 192.0.2.1 22"]}
    assert "+:root:ALL" in written(tmp_path, _lockout_connection=as_root)
    assert "+:root:ALL" not in written(tmp_path)
