"""Who may log in, and from where: decided by access.conf for sshd and the console, and by nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.machines_verify.login_tries import (
    RIGHT,
    account_with_password,
    admit_key,
    answers,
    harden_lockout,
    key_of,
    login,
    su,
    succeeds,
    sudo,
)
from tests.machines_verify.machine_access import (
    SSH,
    Stranger,
    machine_container,
    on_machine,
    ssh,
    stranger,
)

needs_a_stranger = pytest.mark.skipif(
    not machine_container(),
    reason="the machine is not a container here, and refused logins would ban this host",
)
GROUP = "ssh-users"


@pytest.fixture
def visitor() -> Iterator[Stranger]:
    with stranger() as host:
        yield host


@pytest.fixture
def account() -> Iterator[str]:
    with account_with_password() as name:
        yield name


def _enter(host: Stranger, account: str) -> bool:
    """Log in over SSH once the port answers, so that a rate limit is not taken for a refusal."""
    assert answers(host)
    return host.ssh(account).returncode == 0


@needs_a_stranger
def test_a_key_alone_opens_nothing_to_who_is_not_in_the_group(visitor: Stranger, account: str) -> None:
    admit_key(account, key_of(visitor))
    assert not _enter(visitor, account)
    on_machine(f"usermod --append --groups {GROUP} {account}")
    assert _enter(visitor, account)


@needs_a_stranger
def test_an_address_outside_the_origins_is_refused(visitor: Stranger, account: str) -> None:
    admit_key(account, key_of(visitor))
    on_machine(f"usermod --append --groups {GROUP} {account}")
    rule = {"permission": "-", "users": [account], "origins": [f"{visitor.address}/32"]}
    narrowed = harden_lockout("--extra-vars", json.dumps({"lockout_access_rules": [rule]}))
    assert narrowed.status == 0, narrowed.output[-3000:]
    try:
        assert not _enter(visitor, account)
        assert "denied" in on_machine(
            f"journalctl --no-pager --since=-2min | grep pam_access | grep {account}"
        )
        with stranger() as other:
            copied = visitor.run("cat /tmp/key").stdout
            other.run(f"umask 077; cat > /tmp/key <<'KEY'\n{copied}KEY")
            assert _enter(other, account)
    finally:
        widened = harden_lockout()
    assert widened.status == 0 and widened.changed > 0, widened.output[-3000:]
    assert _enter(visitor, account)


def test_rules_that_would_refuse_the_run_itself_stop_it_before_any_change() -> None:
    before = on_machine("cat /etc/security/access.conf /etc/pam.d/sshd")
    run = harden_lockout(
        "--extra-vars",
        json.dumps({"lockout_access_rules": [{"permission": "-", "users": ["ALL"], "origins": ["ALL"]}]}),
    )
    assert run.status != 0 and run.changed == 0, run.output[-3000:]
    for words in (f"as {SSH['user']} from", "lockout_access_origins", "main.yml", "example", "-:ALL:ALL"):
        assert words in run.said, run.output[-3000:]
    assert on_machine("cat /etc/security/access.conf /etc/pam.d/sshd") == before


def test_the_console_lets_in_sudoers_and_the_group_and_nobody_else(account: str) -> None:
    assert login(account, RIGHT) == [False]
    on_machine(f"usermod --append --groups {GROUP} {account}")
    assert login(account, RIGHT) == [True]
    on_machine(f"usermod --groups sudo {account}")
    assert login(account, RIGHT) == [True]


def test_su_sudo_and_cron_do_not_ask(account: str) -> None:
    """An account that may not log in still runs its jobs and becomes who it may become."""
    on_machine(f"usermod --groups sudo {account}")
    assert su(account, RIGHT) == [True] and sudo(account, RIGHT) == [True]
    on_machine(f"usermod --groups '' {account}")
    assert su(account, RIGHT) == [True]
    assert succeeds("! grep -l pam_access /etc/pam.d/common-* /etc/pam.d/su /etc/pam.d/sudo /etc/pam.d/cron")


def test_the_operator_still_gets_in() -> None:
    assert ssh("true").returncode == 0
