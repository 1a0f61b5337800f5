"""playbooks/unlock.yml: what is locked, and lifting it, as the engineer on call does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machines_verify.login_tries import (
    INVENTORY,
    RIGHT,
    account_with_password,
    banned,
    fail,
    failures,
    su,
)
from tests.machines_verify.machine_access import on_machine
from tests.machines_verify.site_run import SiteRun, run_site

# Addresses for documentation: nobody comes from there.
ADDRESSES = ["203.0.113.77", "2001:db8::77"]


def unlock(*arguments: str) -> SiteRun:
    return run_site(INVENTORY, *arguments, playbook="playbooks/unlock.yml")


@pytest.fixture
def locked() -> Iterator[str]:
    with account_with_password() as name:
        fail(name, 5)
        yield name


@pytest.fixture
def bans() -> Iterator[None]:
    on_machine(f"fail2ban-client set sshd banip {' '.join(ADDRESSES)}")
    yield
    on_machine(f"fail2ban-client set sshd unbanip {' '.join(ADDRESSES)}")


@pytest.mark.usefixtures("bans")
def test_it_lists_what_is_locked_and_changes_nothing(locked: str) -> None:
    run = unlock()
    assert run.status == 0 and run.changed == 0, run.output[-3000:]
    assert f"{locked} is locked after 5 failures from" in run.said
    for address in ADDRESSES:
        assert f"{address} is banned in sshd" in run.said
    assert failures(locked) == 5 and set(ADDRESSES) <= set(banned())


def test_an_account_is_unlocked_once(locked: str) -> None:
    told = unlock("--check", "-e", f"account={locked}")
    assert told.status == 0 and told.changed == 1, told.output[-3000:]
    assert su(locked, RIGHT) == [False]

    run = unlock("-e", f"account={locked}")
    assert run.status == 0 and run.changed == 1, run.output[-3000:]
    assert f"{locked} is locked after 5 failures from" in run.said and "since 2" in run.said
    assert su(locked, RIGHT) == [True]

    again = unlock("-e", f"account={locked}")
    assert again.status == 0 and again.changed == 0, again.output[-3000:]
    assert "is not locked" in again.said


@pytest.mark.usefixtures("bans")
@pytest.mark.parametrize("address", ["203.0.113.77", "2001:DB8:0::77"])
def test_an_address_is_let_in_again_and_no_other(address: str) -> None:
    told = unlock("--check", "-e", f"address={address}")
    assert told.status == 0 and told.changed == 1, told.output[-3000:]
    assert set(ADDRESSES) <= set(banned())

    run = unlock("-e", f"address={address}")
    assert run.status == 0 and run.changed == 1, run.output[-3000:]
    assert len(set(ADDRESSES) & set(banned())) == 1

    again = unlock("-e", f"address={address}")
    assert again.status == 0 and again.changed == 0, again.output[-3000:]
    assert "is not banned" in again.said


@pytest.mark.usefixtures("bans")
def test_both_at_once(locked: str) -> None:
    run = unlock("-e", f"account={locked}", "-e", f"address={ADDRESSES[0]}")
    assert run.status == 0 and run.changed == 1, run.output[-3000:]
    assert su(locked, RIGHT) == [True] and ADDRESSES[0] not in banned()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["account=nobody-here"], ["no account nobody-here", "example"]),
        (["address=300.1.2.3"], ["300.1.2.3", "no IPv4 or IPv6 address", "example"]),
        (["account="], ["empty", "-e account=alice"]),
        (["address=name.example.org", "account=root"], ["name.example.org", "example"]),
    ],
)
def test_a_mistake_is_named_and_lifts_nothing(given: list[str], words: list[str]) -> None:
    run = unlock(*(word for value in given for word in ("-e", value)))
    assert run.status != 0 and run.changed in (-1, 0), run.output[-3000:]
    for word in words:
        assert word in run.said, run.output[-3000:]
