"""Reach the deployed machine: as its operator, as root, and as a stranger from another address."""

from __future__ import annotations

import functools
import ipaddress
import json
import os
import secrets
import shlex
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.machines.ssh import await_turn, root_line, shared_connection

_INFO_FILE = Path(os.environ["DEMO_INFO"])
INFO: dict[str, Any] = json.loads(_INFO_FILE.read_text())
SSH: dict[str, Any] = INFO["ssh"]
# Seconds for one command; a busy host may take its time.
_TIMEOUT = 300.0


def _known_hosts() -> list[str]:
    path = SSH.get("known_hosts")
    return ["-o", f"UserKnownHostsFile={path}"] if path else ["-o", "StrictHostKeyChecking=no"]


def read_again() -> None:
    """Take in the machine's description anew: its address may be another one."""
    described = json.loads(_INFO_FILE.read_text())
    SSH.update(described.pop("ssh"))
    INFO.update(described)


def _ssh_command(words: Sequence[str], key: str | None = None, user: str | None = None) -> list[str]:
    command = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "IdentitiesOnly=yes"]
    command += [*_known_hosts(), "-i", key or SSH["key"], "-p", str(SSH["port"]), "-l", user or SSH["user"]]
    return [*command, *words]


def _ssh(
    words: Sequence[str], key: str | None = None, user: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _ssh_command(words, key, user),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def ssh(
    *remote: str, options: Sequence[str] = (), key: str | None = None, user: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Log in to the machine over a new connection, which is no other call's, and run a command there.

    Use it where the login is what is tested; ``run_as_root`` is quicker.

    Args:
        options: More arguments of ssh.
        key, user: Private key and user instead of the operator's.
    """
    await_turn()
    return _ssh(["-o", "ControlPath=none", *options, SSH["host"], *remote], key, user)


def run_as_root(command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line on the machine as root, over a connection that such calls share."""
    return _ssh([*shared_connection(), SSH["host"], root_line(command)])


def close_shared_connection() -> None:
    """Close the connection that ``run_as_root`` keeps, if there is one."""
    _ssh(["-O", "exit", *shared_connection(), SSH["host"]])


def on_machine(command: str) -> str:
    """Run a shell line on the machine as root and return what it printed."""
    done = run_as_root(command)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def reading(command: str) -> Iterator[IO[bytes]]:
    """Run a shell line on the machine as root and give what it prints, byte by byte, as it comes."""
    words = [*shared_connection(), SSH["host"], root_line(command)]
    running = subprocess.Popen(_ssh_command(words), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        assert running.stdout
        yield running.stdout
        assert running.wait(_TIMEOUT) == 0, f"{command}: exit status {running.returncode}"
    finally:
        running.kill()
        running.wait()


@contextmanager
def listening(*ports: int) -> Iterator[None]:
    """Let a program of the machine listen on these TCP ports, on every address, inside this block."""
    unit = f"listening-{ports[0]}"
    code = (
        f"import socket,time; kept=[socket.create_server(('::', p), family=socket.AF_INET6,"
        f" dualstack_ipv6=True) for p in {list(ports)}]; time.sleep(600)"
    )
    on_machine(f'systemd-run --quiet --collect --unit {unit} python3 -c "{code}"')
    try:
        assert eventually(lambda: all(on_machine(f"ss -Htln 'sport = :{port}'") for port in ports))
        yield
    finally:
        run_as_root(f"systemctl stop {unit}")


def eventually(holds: Callable[[], bool], seconds: float = 60.0, pause: float = 0.5) -> bool:
    """Ask every ``pause`` seconds whether something holds; False when it still does not after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


@functools.cache
def machine_container() -> dict[str, Any]:
    """Describe the container that is the machine; empty where it is none of this host's."""
    done = subprocess.run(["docker", "ps", "-q"], capture_output=True, text=True, check=False)
    names = done.stdout.split() if done.returncode == 0 else []
    if names:
        listed = subprocess.run(
            ["docker", "inspect", *names], capture_output=True, text=True, check=False, timeout=_TIMEOUT
        )
        for container in json.loads(listed.stdout or "[]"):
            for network in container["NetworkSettings"]["Networks"].values():
                if network["IPAddress"] == SSH["host"]:
                    return dict(container)
    return {}


class Stranger:
    """Another host on the machine's network, with an address that may be banned without locking us out."""

    def __init__(self, name: str, address: str) -> None:
        """Remember the name of the running container and its IPv4 address."""
        self.name = name
        self.address = address

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a shell line there."""
        return subprocess.run(
            ["docker", "exec", self.name, "sh", "-c", command],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )

    def take_key(self, key: Path) -> None:
        """Let ``ssh`` use this private key of the controller instead of one that nobody admitted."""
        done = self.run(f"umask 077; printf '%s\\n' {shlex.quote(key.read_text().strip())} > /tmp/key")
        assert done.returncode == 0, done.stderr

    def ssh(self, user: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Try to log in to the machine, with a key of its own, which nobody admitted, where it took none."""
        words = ["ssh", "-i", "/tmp/key", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]
        words += [
            "-o",
            "ConnectTimeout=15",
            *options,
            "-p",
            str(SSH["port"]),
            f"{user}@{SSH['host']}",
            "true",
        ]
        make_key = "test -e /tmp/key || ssh-keygen -q -t ed25519 -N '' -f /tmp/key"
        return self.run(f"{make_key}; {shlex.join(words)}")

    def ssh_banner(self) -> str:
        """Connect to the machine's SSH port and return what it says first; empty where nothing answers."""
        line = f"exec 3<>/dev/tcp/{SSH['host']}/{SSH['port']} && head -n 1 <&3"
        return self.run(f"timeout 15 bash -c '{line}'").stdout.strip()


def _unused_address(network: dict[str, Any]) -> ipaddress.IPv4Interface:
    """Choose an address high up in the machine's network, where Docker does not get to."""
    whole = ipaddress.IPv4Interface(f"{network['IPAddress']}/{network['IPPrefixLen']}").network
    size = whole.num_addresses
    return ipaddress.IPv4Interface(f"{whole[size // 2 + secrets.randbelow(size // 2 - 2)]}/{whole.prefixlen}")


@contextmanager
def stranger() -> Iterator[Stranger]:
    """Start another host beside the machine, from the machine's own image, and remove it afterwards."""
    container = machine_container()
    name = f"stranger-{uuid.uuid4().hex[:8]}"
    network = next(iter(container["NetworkSettings"]["Networks"]))
    command = ["docker", "run", "--detach", "--rm", "--name", name, "--network", network]
    command += ["--cap-add", "NET_ADMIN", "--entrypoint", "sleep", container["Config"]["Image"], "900"]
    subprocess.run(command, capture_output=True, check=True, timeout=_TIMEOUT)
    address = _unused_address(container["NetworkSettings"]["Networks"][network])
    host = Stranger(name, str(address.ip))
    try:
        # An address that no earlier stranger had: failures are remembered for fifteen minutes.
        moved = host.run(f"ip -4 addr flush dev eth0 && ip addr add {address} dev eth0")
        assert moved.returncode == 0, moved.stderr
        yield host
    finally:
        run_as_root(f"fail2ban-client set sshd unbanip {address.ip}")
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False, timeout=_TIMEOUT)
