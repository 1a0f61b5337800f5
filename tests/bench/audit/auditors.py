"""Runs lynis and ssh-audit against a throwaway machine."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.bench.audit.findings import Lynis, ReportError, SshAudit, read_lynis, read_ssh_audit
from tests.machines.machine import Machine
from tools.controller.command import capture
from tools.controller.failure import StageFailure
from tools.controller.venv import VENV

INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends lynis ssh-audit"
LYNIS = "lynis audit system --quick --quiet --no-colors; cat /var/log/lynis-report.dat"
SSH_AUDIT = "ssh-audit --no-colors 127.0.0.1"
AUDIT_SECONDS = 600.0
_TUNNEL_SECONDS = 30.0


@dataclass(frozen=True)
class Verdicts:
    """What lynis, this checkout's ssh-audit, and Debian's older ssh-audit said of a machine."""

    lynis: Lynis
    ssh: SshAudit
    ssh_of_debian: SshAudit


def audit(machine: Machine) -> Verdicts:
    """Install Debian's auditors on ``machine``, where they are missing, and run all of them.

    Raises:
        StageFailure: they cannot be installed, or the machine cannot be reached.
        ReportError: one of them came to no result.
    """
    status, said = capture(machine.as_root(f"apt-get update -qq && {INSTALL}"), AUDIT_SECONDS)
    if status:
        raise StageFailure(f"lynis and ssh-audit cannot be installed: {said[-1000:]}", "see apt's message")
    # All exit with more than 0 where they find something.
    lynis = read_lynis(capture(machine.as_root(LYNIS), AUDIT_SECONDS)[1])
    older = read_ssh_audit(capture(machine.as_root(SSH_AUDIT), AUDIT_SECONDS)[1])
    with _tunnel(machine) as port:
        command = [str(VENV / "bin/ssh-audit"), "--no-colors", "-p", str(port), "127.0.0.1"]
        return Verdicts(lynis, read_ssh_audit(capture(command, AUDIT_SECONDS)[1]), older)


@contextmanager
def _tunnel(machine: Machine) -> Iterator[int]:
    """Lead a port of this host to the machine's sshd, on the machine's own loopback, and yield it.

    ssh-audit makes more connections than the firewall lets one address make in half a minute.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    ssh, *rest = machine.ssh_command()
    process = subprocess.Popen(
        [ssh, "-N", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{port}:127.0.0.1:22", *rest],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _TUNNEL_SECONDS
        while not _greets(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ReportError(f"no SSH tunnel to {machine.name}: try {' '.join(machine.ssh_command())}")
            time.sleep(0.3)
        yield port
    finally:
        process.terminate()
        process.wait()


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
