"""Five wrong passwords close an account to passwords for fifteen minutes: console, su and sudo."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines_verify.login_tries import (
    RIGHT,
    WRONG,
    account_with_password,
    admit_key,
    fail,
    failures,
    login,
    su,
    su_when_last_failure_was,
    succeeds,
    sudo,
)
from tests.machines_verify.machine_access import SSH, on_machine, ssh

MINUTES_15 = 900
WAYS = {"su": su, "sudo": sudo, "login": login}


@pytest.fixture
def account() -> Iterator[str]:
    with account_with_password("sudo") as name:
        yield name


@pytest.mark.parametrize("way", WAYS)
def test_after_five_wrong_passwords_the_right_one_is_refused(account: str, way: str) -> None:
    tries = WAYS[way]
    assert tries(account, RIGHT, *[WRONG] * 5, RIGHT) == [True] + [False] * 6
    assert failures(account) == 5
    on_machine(f"faillock --user {account} --reset")
    assert tries(account, RIGHT) == [True]


@pytest.mark.parametrize("way", WAYS)
def test_after_four_wrong_passwords_the_right_one_is_taken_and_the_count_begins_anew(
    account: str, way: str
) -> None:
    tries = WAYS[way]
    assert tries(account, *[WRONG] * 4, RIGHT) == [False] * 4 + [True]
    assert failures(account) == 0
    assert tries(account, WRONG, RIGHT) == [False, True]


def test_failures_by_one_way_close_the_others(account: str) -> None:
    assert [su(account, WRONG, WRONG), sudo(account, WRONG, WRONG), login(account, WRONG)] == [
        [False, False],
        [False, False],
        [False],
    ]
    assert [way(account, RIGHT) for way in WAYS.values()] == [[False]] * 3


def test_the_lock_ends_after_exactly_fifteen_minutes(account: str) -> None:
    # On a machine so slow that the fifteen minutes were over when su looked, nothing was shown: once more.
    for _ in range(5):
        fail(account, 5)
        let_in, late = su_when_last_failure_was(account, RIGHT, MINUTES_15 - 1)
        if not let_in or late <= 1:
            break
    assert not let_in, f"let in {late} s after 14:59"
    assert su_when_last_failure_was(account, RIGHT, MINUTES_15 + 1)[0]


def test_only_failures_within_fifteen_minutes_are_counted_together(account: str) -> None:
    fail(account, 4)
    assert not su_when_last_failure_was(account, WRONG, MINUTES_15 + 1)[0]
    assert su(account, RIGHT) == [True]


def test_a_login_by_key_neither_is_stopped_nor_ends_the_lock(account: str) -> None:
    """Otherwise a stranger could go on guessing beside whatever logs in by itself."""
    admit_key(account, Path(f"{SSH['key']}.pub").read_text().strip())
    on_machine(f"usermod --append --groups ssh-users {account}")
    fail(account, 5)
    assert ssh("true", user=account).returncode == 0
    assert failures(account) == 5
    assert su(account, RIGHT) == [False]


def test_the_user_that_ansible_comes_as_gets_in_whatever_a_stranger_fails_at() -> None:
    user = SSH["user"]
    try:
        fail(user, 5)
        assert ssh("sudo -n true").returncode == 0
        assert succeeds(f"runuser -u {user} -- sudo -n true")
        assert failures(user) == 5
    finally:
        on_machine(f"faillock --user {user} --reset")


def test_the_console_stays_open_to_root() -> None:
    before = on_machine("getent shadow root | cut -d: -f2").strip()
    password = secrets.token_hex(12)
    on_machine(f"echo 'root:{password}' | chpasswd")
    try:
        fail("root", 6)
        assert login("root", password) == [True]
    finally:
        on_machine(f"usermod --password '{before}' root && faillock --user root --reset")
