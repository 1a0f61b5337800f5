"""SSH as the operator and as an intruder see it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines_verify.machine_access import SSH, Stranger, machine_container, on_machine, ssh, stranger


def test_the_operators_key_opens_the_machine() -> None:
    assert ssh("id -un").stdout.strip() == SSH["user"]


# Failed logins are made from another address: five of them ban the address that they come from.
needs_a_stranger = pytest.mark.skipif(
    not machine_container(),
    reason="the machine is not a container here, and failed logins would ban this host",
)


@pytest.fixture
def intruder() -> Iterator[Stranger]:
    with stranger() as host:
        yield host


@needs_a_stranger
@pytest.mark.parametrize("user", ["root", "nobody"])
def test_no_password_is_even_asked_for(intruder: Stranger, user: str) -> None:
    """The server's own list of what may continue is the proof: there is no password to try."""
    for method in ("password", "keyboard-interactive"):
        done = intruder.ssh(
            user, "-o", f"PreferredAuthentications={method}", "-o", "PubkeyAuthentication=no", "-v"
        )
        assert done.returncode == 255
        offered = [line for line in done.stderr.splitlines() if "Authentications that can continue" in line]
        assert offered, done.stderr
        assert all(line.strip().endswith("continue: publickey") for line in offered), offered


@needs_a_stranger
def test_another_key_is_refused(intruder: Stranger) -> None:
    done = intruder.ssh(SSH["user"])
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


@needs_a_stranger
def test_root_is_refused_with_a_key_that_root_and_the_operator_have(intruder: Stranger) -> None:
    """The machine was bare once and admitted this key for root."""
    public = Path(SSH["key"]).with_name("id_rsa.pub").read_text().split()[1]
    on_machine(f"grep -qF {public} /root/.ssh/authorized_keys")
    intruder.take_key(Path(SSH["key"]))
    assert intruder.ssh(SSH["user"]).returncode == 0
    done = intruder.ssh("root")
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


@functools.cache
def offered() -> dict[str, list[str]]:
    """Return what the server offers when a connection begins, as ssh prints it: title -> algorithms."""
    said = ssh("true", options=["-vv"]).stderr.partition("peer server KEXINIT proposal")[2]
    lines = [line.removeprefix("debug2: ").partition(": ") for line in said.splitlines()[1:10]]
    return {title: algorithms.strip().split(",") for title, _, algorithms in lines}


@pytest.mark.parametrize(
    ("title", "weak"),
    [
        ("KEX algorithms", r"sha1|group1-|group14|nistp"),
        ("host key algorithms", r"^ssh-rsa$|dss|sha1|nistp"),
        ("ciphers stoc", r"cbc|3des|arcfour|none"),
        ("ciphers ctos", r"cbc|3des|arcfour|none"),
        ("MACs stoc", r"sha1|md5|umac-64|none"),
        ("MACs ctos", r"sha1|md5|umac-64|none"),
    ],
)
def test_no_weak_algorithm_is_offered(title: str, weak: str) -> None:
    assert offered()[title]
    assert [name for name in offered()[title] if re.search(weak, name)] == []


def test_the_host_keys_are_long_enough() -> None:
    lines = on_machine("for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -l -f $f; done").splitlines()
    bits = {line.rsplit("(", 1)[1].rstrip(")"): int(line.split()[0]) for line in lines}
    assert bits["RSA"] >= 4096
    assert bits["ED25519"] == 256


def test_every_rsa_key_that_opens_the_machine_is_long_enough() -> None:
    files = "/root/.ssh/authorized_keys /home/*/.ssh/authorized_keys"
    lines = on_machine(f'for f in {files}; do [ ! -s "$f" ] || ssh-keygen -l -f "$f"; done').splitlines()
    assert lines
    assert not [line for line in lines if line.endswith("(RSA)") and int(line.split()[0]) < 4096]


@pytest.mark.parametrize(
    "setting",
    [
        "permitrootlogin no",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "permitemptypasswords no",
        "x11forwarding no",
    ],
)
def test_the_settings_in_force(setting: str) -> None:
    assert setting in on_machine("sshd -T").splitlines()
