"""Five failures in fifteen minutes, and it is closed: an address over SSH, an account on the console."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.machines_verify.machine_access import (
    Stranger,
    eventually,
    machine_container,
    on_machine,
    ssh,
    stranger,
)

pytestmark = pytest.mark.skipif(
    not machine_container(),
    reason="the machine is not a container here, so there is no second address to ban",
)
ATTEMPTS = 6


def _banned() -> list[str]:
    return on_machine("fail2ban-client get sshd banip").split()


@pytest.fixture
def intruder() -> Iterator[Stranger]:
    with stranger() as host:
        yield host


@pytest.mark.parametrize("user", ["root", "guessed"], ids=["a user that exists", "a user that does not"])
def test_failed_logins_ban_the_address_and_no_other(intruder: Stranger, user: str) -> None:
    assert intruder.ssh_banner().startswith("SSH-2.0-")
    for _ in range(ATTEMPTS):
        assert intruder.ssh(user).returncode == 255
    assert eventually(lambda: intruder.address in _banned())
    # fail2ban lists an address a moment before the firewall drops it.
    assert eventually(lambda: intruder.ssh_banner() == "")
    assert ssh("true").returncode == 0


def test_port_checks_ban_nobody(intruder: Stranger) -> None:
    """Monitoring and ansible's wait_for connect and leave; that is no failed login."""
    for _ in range(ATTEMPTS + 2):
        assert intruder.ssh_banner().startswith("SSH-2.0-")
    time.sleep(3)  # what a ban takes, and more
    assert intruder.address not in _banned()
    assert intruder.ssh_banner().startswith("SSH-2.0-")


@pytest.fixture
def account() -> Iterator[str]:
    name = "lockout-test"
    on_machine(
        f"useradd -m {name} && echo '{name}:correct horse' | chpasswd && faillock --user {name} --reset"
    )
    yield name
    on_machine(f"faillock --user {name} --reset; userdel -r {name} 2>/dev/null; true")


def _su(account: str, password: str) -> int:
    """Become the account as user nobody, who is asked for a password, and return the exit status."""
    # su reads the password from standard input where there is no terminal.
    return ssh(f"echo '{password}' | setpriv --reuid=65534 --clear-groups su {account} -c true").returncode


def test_failed_passwords_lock_the_account_even_for_the_right_one(account: str) -> None:
    assert _su(account, "correct horse") == 0
    for _ in range(5):
        assert _su(account, "wrong") != 0
    assert _su(account, "correct horse") != 0
    on_machine(f"faillock --user {account} --reset")
    assert _su(account, "correct horse") == 0


def test_the_times_are_fifteen_minutes() -> None:
    assert on_machine("fail2ban-client get sshd bantime").strip() == "900"
    assert on_machine("fail2ban-client get sshd findtime").strip() == "900"
    settings = [line.replace(" ", "") for line in on_machine("cat /etc/security/faillock.conf").splitlines()]
    assert {"deny=5", "unlock_time=900", "fail_interval=900"} <= set(settings)
