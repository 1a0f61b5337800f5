"""What holds for accounts, tried as a user would: passwords, umask, idle shells, sudo and su."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines_verify.machine_access import SSH, on_machine
from tests.machines_verify.site_run import run_site

INVENTORY = Path(os.environ["DEMO_INFO"]).parent / "inventory"
OLD, SHORT, LONG = "An-Old-Pass-Phrase-17", "Sh0rt-Pass!", "Another-Pass-Phrase-42"


def _remove(name: str) -> None:
    # A later account of that name must begin without this one's failures and passwords.
    on_machine(
        f"faillock --user {name} --reset; userdel --remove {name} 2>/dev/null;"
        f" sed -i '/^{name}:/d' /etc/security/opasswd; true"
    )


def _make(name: str) -> None:
    _remove(name)
    on_machine(f"useradd --create-home --shell /bin/bash {name} && echo {name}:{OLD} | chpasswd")


@pytest.fixture
def account() -> Iterator[str]:
    name = "password-test"
    _make(name)
    yield name
    _remove(name)


def _change(account: str, new: str, old: str = OLD) -> str:
    return on_machine(f"printf '%s\\n' {old} {new} {new} | su {account} -c 'LC_ALL=C passwd' 2>&1; true")


def test_a_short_password_is_refused_and_a_long_one_taken(account: str) -> None:
    on_machine(f"chage --mindays 0 {account}")
    assert "shorter than 14 characters" in _change(account, SHORT)
    assert "updated successfully" in _change(account, LONG)


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("another-pass-phrase-42", "1 uppercase letters"),
        ("Another-Pass-Phrase-xx", "1 digits"),
        ("Another0Pass0Phrase042", "1 non-alphanumeric"),
        ("Another-Pass-Phraaaase-42", "more than 3 same characters"),
    ],
)
def test_a_password_of_too_few_kinds_is_refused(account: str, new: str, reason: str) -> None:
    on_machine(f"chage --mindays 0 {account}")
    said = _change(account, new)
    assert reason in said and "updated successfully" not in said


def test_an_earlier_password_is_refused(account: str) -> None:
    on_machine(f"chage --mindays 0 {account}")
    assert "updated successfully" in _change(account, LONG)
    said = _change(account, OLD, LONG)
    assert "already used" in said and "updated successfully" not in said


def test_a_new_account_has_ages(account: str) -> None:
    ages = on_machine(f"chage --list {account} | LC_ALL=C sort")
    assert ages.count(": 365\n") == 1 and ages.count(": 1\n") == 1 and ages.count(": 7\n") == 1, ages
    assert "wait longer" in _change(account, LONG)
    inactive = on_machine(f"grep ^{account}: /etc/shadow | cut -d: -f7")
    assert inactive.strip() == "30"


def test_the_operators_password_never_runs_out() -> None:
    """It would end key logins, the play's among them."""
    longest = on_machine(f"grep ^{SSH['user']}: /etc/shadow | cut -d: -f5").strip()
    assert longest == "" or int(longest) >= 99999


def test_a_session_leaves_no_core_dumps() -> None:
    assert on_machine("ulimit -H -c").strip() == "0"
    settings = on_machine("systemd-analyze cat-config systemd/coredump.conf | grep -v '^#'")
    assert "Storage=none" in settings and "ProcessSizeMax=0" in settings


def test_files_of_a_person_are_nobody_elses_and_those_of_administration_are(account: str) -> None:
    assert on_machine(f"su - {account} -c umask").strip() == "0027"
    assert on_machine(f"su - {account} -c 'bash -ic umask' 2>/dev/null").strip() == "0027"
    assert on_machine("bash -lic umask 2>/dev/null").strip() == "0027"
    assert on_machine("sudo -n sh -c umask").strip() == "0022"


def test_an_idle_shell_ends_and_a_script_does_not(account: str) -> None:
    lines = "echo $TMOUT\\nTMOUT=0\\necho now $TMOUT\\n"
    said = on_machine(f"printf '{lines}' | su - {account} -c 'bash -li' 2>&1").splitlines()
    assert "900" in said and "now 900" in said, said
    assert on_machine(f"su - {account} -c 'echo ${{TMOUT-none}}'").strip() == "none"


def test_sudo_writes_down_what_it_runs() -> None:
    on_machine("sudo -n echo marker-of-sudo")
    assert "marker-of-sudo" in on_machine("tail -n 20 /var/log/sudo.log")
    assert on_machine("stat -c %a /var/log/sudo.log").strip() == "600"
    on_machine("sudo -n logrotate --force --state /root/logrotate-of-test /etc/logrotate.d/ai-assistant-sudo")
    said = on_machine(
        "rm /root/logrotate-of-test; cd /var/log; grep -c marker-of-sudo sudo.log.1;"
        " stat -c %a sudo.log sudo.log.1"
    )
    assert said.split()[1:] == ["600", "600"] and int(said.split()[0]) >= 1, said


def test_su_is_for_the_group_alone(account: str) -> None:
    """A service that was broken into cannot try passwords, nor lock others out by that."""
    other = "su-target"
    _make(other)
    try:
        attempt = f"echo {OLD} | runuser -u {account} -- su {other} -c 'id -un' 2>&1; true"
        assert other not in on_machine(attempt).splitlines()
        on_machine(attempt.replace(OLD, "wrong"))
        assert on_machine(f"faillock --user {other} | grep -c ' V$'; true").strip() == "0"
        on_machine(f"usermod --append --groups sudo {account}")
        assert other in on_machine(attempt)
    finally:
        _remove(other)


@pytest.mark.parametrize(
    ("make", "remove", "words"),
    [
        ("useradd -o -u 0 -M toor", "userdel -f toor", ["toor has UID 0", "accounts_accepted: [", "userdel"]),
        (
            "useradd -M guest && passwd -d guest",
            "userdel guest",
            ["guest needs no password", "passwd -l guest", "accounts_accepted: [guest]"],
        ),
        ("echo +:::::: >> /etc/group", "sed -i /^+/d /etc/group", ["/etc/group", "begins with +"]),
    ],
    ids=["uid 0", "no password", "NIS"],
)
def test_an_unsound_account_stops_the_run_before_any_change(make: str, remove: str, words: list[str]) -> None:
    on_machine(make)
    try:
        run = run_site(INVENTORY)
    finally:
        on_machine(f"{remove} 2>/dev/null; true")
    assert run.status != 0
    assert run.changed == 0, run.output[-3000:]
    for word in [*words, "main.yml"]:
        assert word in run.said, f"{word!r} is not in: {run.output[-3000:]}"


def test_the_console_does_not_name_the_system() -> None:
    text = on_machine("cat /etc/issue /etc/issue.net")
    assert text.count("Private system.") == 2
    assert "Debian" not in text and "Ubuntu" not in text


def test_a_denied_module_is_not_loaded() -> None:
    if not on_machine("command -v modprobe; true"):
        pytest.skip("this machine, a container without kmod, loads no modules")
    found = on_machine("modprobe --showconfig | grep -E '^(install|blacklist) (dccp|usb.storage)'")
    assert sorted(found.split("\n")[:-1]) == [
        "blacklist dccp",
        "blacklist usb_storage",
        "install dccp /bin/false",
        "install usb_storage /bin/false",
    ]
