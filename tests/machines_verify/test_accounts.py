"""What holds for accounts, tried as a user would: passwords, core dumps, the text before a login."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machines_verify.machine_access import on_machine, ssh

OLD, SHORT, LONG = "An-Old-Pass-Phrase-17", "Sh0rt-Pass!", "Another-Pass-Phrase-42"


@pytest.fixture
def account() -> Iterator[str]:
    name = "password-test"
    on_machine(f"useradd --create-home {name} && echo {name}:{OLD} | chpasswd")
    yield name
    on_machine(f"userdel --remove {name} 2>/dev/null; true")


def _change(account: str, new: str) -> str:
    done = ssh(f"printf '%s\\n' {OLD} {new} {new} | su {account} -c 'LC_ALL=C passwd' 2>&1")
    return done.stdout + done.stderr


def test_a_short_password_is_refused_and_a_long_one_taken(account: str) -> None:
    on_machine(f"chage --mindays 0 {account}")
    assert "shorter than 14 characters" in _change(account, SHORT)
    assert "updated successfully" in _change(account, LONG)


def test_a_new_account_has_ages(account: str) -> None:
    ages = on_machine(f"chage --list {account} | LC_ALL=C sort")
    assert ages.count(": 365\n") == 1 and ages.count(": 1\n") == 1, ages
    assert "wait longer" in _change(account, LONG)


def test_a_session_leaves_no_core_dumps() -> None:
    assert on_machine("ulimit -H -c").strip() == "0"


def test_the_console_does_not_name_the_system() -> None:
    text = on_machine("cat /etc/issue /etc/issue.net")
    assert text.count("Private system.") == 2
    assert "Debian" not in text and "Ubuntu" not in text


def test_a_denied_module_is_not_loaded() -> None:
    if ssh("command -v modprobe").returncode:
        pytest.skip("this machine, a container without kmod, loads no modules")
    found = on_machine("modprobe --showconfig | grep -E '^(install|blacklist) (dccp|usb.storage)'")
    assert sorted(found.split("\n")[:-1]) == [
        "blacklist dccp",
        "blacklist usb_storage",
        "install dccp /bin/false",
        "install usb_storage /bin/false",
    ]
