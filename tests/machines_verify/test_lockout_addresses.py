"""Five failed logins over SSH close the port to their address for fifteen minutes, and to no other."""

from __future__ import annotations

import datetime
import secrets
import shlex
import time
from collections.abc import Iterator

import pytest

from tests.machines_verify.login_tries import (
    answers,
    banned,
    failed_logins_seen,
    machine_ipv6,
    refused_by_ban,
)
from tests.machines_verify.machine_access import (
    SSH,
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


@pytest.fixture
def intruder() -> Iterator[Stranger]:
    with stranger() as host:
        yield host


def _fail(host: Stranger, times: int, user: str) -> None:
    """Log in with a key that nobody admitted and wait until fail2ban has read of it."""
    before = failed_logins_seen()
    for _ in range(times):
        assert host.ssh(user).returncode == 255
    assert eventually(lambda: failed_logins_seen() >= before + times)


def _ban_seconds(address: str) -> tuple[float, float]:
    """Return when the ban of an address began, and how long it is."""
    lines = on_machine("fail2ban-client get sshd banip --with-time").splitlines()
    words = next(line.split() for line in lines if line.split()[:1] == [address])
    begin, end = (
        datetime.datetime.fromisoformat(" ".join(part)).timestamp() for part in (words[1:3], words[6:8])
    )
    return begin, end - begin


@pytest.mark.parametrize("user", [SSH["user"], "guessed"], ids=["a user that exists", "a user that does not"])
def test_the_fifth_failed_login_bans_the_address_and_no_other(intruder: Stranger, user: str) -> None:
    _fail(intruder, 4, user)
    time.sleep(2)  # what a ban takes, and more
    assert intruder.address not in banned()
    _fail(intruder, 1, user)
    assert eventually(lambda: intruder.address in banned())
    assert _ban_seconds(intruder.address)[1] == 900
    # fail2ban lists an address a moment before the firewall refuses it.
    assert eventually(lambda: intruder.ssh_banner() == "" and refused_by_ban(intruder.address) > 0)
    with stranger() as other:
        assert answers(other)
    assert ssh("true").returncode == 0


def test_a_ban_outlives_a_restart_of_fail2ban_and_of_the_firewall(intruder: Stranger) -> None:
    _fail(intruder, 5, "guessed")
    assert eventually(lambda: intruder.address in banned())
    begin = _ban_seconds(intruder.address)[0]
    on_machine("systemctl restart fail2ban && ufw reload")
    assert eventually(
        lambda: "pong" in ssh_output("fail2ban-client ping; true") and intruder.address in banned()
    )
    again, length = _ban_seconds(intruder.address)
    assert length == 900
    assert abs(again - begin) <= 1, "it keeps whole seconds"
    assert eventually(lambda: intruder.ssh_banner() == "" and refused_by_ban(intruder.address) > 0)
    # The ban is asked before ufw's own rules, which would let port 22 pass.
    assert "f2b-sshd" in on_machine("iptables -S INPUT").splitlines()[1]
    assert f"-A f2b-sshd -s {intruder.address}/32" in on_machine("iptables -S f2b-sshd")


def ssh_output(command: str) -> str:
    return on_machine(f"{command} 2>&1")


def test_an_ipv6_address_is_banned_too(intruder: Stranger) -> None:
    machine = machine_ipv6()
    assert machine, "the machine's network has no IPv6"
    mine = f"{machine.rsplit(':', 1)[0]}:{secrets.randbelow(0xEFFF) + 0x1000:x}"
    # An address that no earlier stranger had, without the half second in which it could not be used.
    moved = intruder.run(f"ip -6 addr flush dev eth0 scope global; ip addr add {mine}/64 dev eth0 nodad")
    assert moved.returncode == 0, moved.stderr
    words = ["ssh", "-i", "/tmp/key", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]
    words += ["-o", "ConnectTimeout=15", "-p", str(SSH["port"]), f"guessed@{machine}", "true"]
    intruder.run("ssh-keygen -q -t ed25519 -N '' -f /tmp/key")
    try:
        for _ in range(5):
            done = intruder.run(shlex.join(words))
            assert "Permission denied" in done.stderr, done.stderr
        assert eventually(lambda: mine in banned())
        assert _ban_seconds(mine)[1] == 900
        assert eventually(lambda: "Permission denied" not in intruder.run(shlex.join(words)).stderr)
        assert refused_by_ban(mine) > 0
        assert answers(intruder), "its IPv4 address did nothing"
    finally:
        on_machine(f"fail2ban-client set sshd unbanip {mine}")


def test_port_checks_ban_nobody(intruder: Stranger) -> None:
    """Monitoring and ansible's wait_for connect and leave; that is no failed login."""
    for _ in range(6):
        assert answers(intruder)  # the sixth meets the firewall's limit first
    time.sleep(3)  # what a ban takes, and more
    assert intruder.address not in banned()
    assert answers(intruder)


def test_logins_that_succeed_ban_nobody() -> None:
    for _ in range(5):
        assert eventually(lambda: ssh("true").returncode == 0, seconds=90)
    assert not [line for line in banned() if line == ssh("echo $SSH_CONNECTION").stdout.split()[0]]
