"""How a throwaway machine is logged in to: as whom, and over which connection."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

# Whom a bare machine admits, as a fresh server of a cloud does, and whom ops/bootstrap.py makes.
FIRST_USER = "root"
OPERATOR = "operator"
_SHARED_SECONDS = 60
# The firewall refuses an address its sixth new connection to SSH within half a minute; some are Ansible's.
_NEW_CONNECTIONS, _WITHIN_SECONDS = 4, 31.0
_opened: deque[float] = deque(maxlen=_NEW_CONNECTIONS)


def await_turn() -> None:
    """Wait until one more new SSH connection of this process is within the firewall's limit, and count it."""
    if len(_opened) == _NEW_CONNECTIONS:
        time.sleep(max(0.0, _opened[0] + _WITHIN_SECONDS - time.monotonic()))
    _opened.append(time.monotonic())


def shared_connection() -> list[str]:
    """Return options of ssh that let calls to one host and user share a connection (ssh_config(5)).

    It is kept open for a minute. The host limits how many new connections it takes in half a minute.
    """
    folder = Path.home() / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    return [
        *("-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/cm-%C"),
        *("-o", f"ControlPersist={_SHARED_SECONDS}"),
        # A host that was restarted is noticed, and the connection is made anew.
        *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=2"),
    ]


def root_line(line: str) -> str:
    """Return what the operator's login shell must be given to run a shell line as root."""
    return f"sudo -n sh -c {shlex.quote(line)}"


def close_shared(command: Sequence[str]) -> None:
    """Close the shared connection that ``command``, an ssh command line without a remote part, would use."""
    done = [*command[:1], "-O", "exit", *command[1:]]
    subprocess.run(done, stdin=subprocess.DEVNULL, capture_output=True, timeout=15, check=False)
