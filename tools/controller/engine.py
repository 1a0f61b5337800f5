"""A Docker engine on the controller: used if one answers, else installed and started."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from tools.controller.cache import cache_directory
from tools.controller.command import as_root, capture
from tools.controller.failure import StageFailure
from tools.controller.packages import ensure_packages

_START_SECONDS = 60.0
_PID_FILES = {
    "dockerd": Path("/var/run/docker.pid"),
    "containerd": Path("/var/run/docker/containerd/containerd.pid"),
}


def docker(*arguments: str, timeout: float = 120.0) -> str:
    """Run one docker command and return its output, stripped.

    Args:
        timeout: Seconds.

    Raises:
        StageFailure: The command failed.
    """
    status, output = capture(docker_command(*arguments), timeout=timeout)
    if status != 0:
        raise StageFailure(f"docker {' '.join(arguments[:3])} failed: {output.strip()}", "see `docker info`")
    return output.strip()


def docker_command(*arguments: str) -> list[str]:
    """Return a docker command line, through sudo where the socket is not ours to open."""
    socket = Path("/var/run/docker.sock")
    if "DOCKER_HOST" in os.environ or not socket.exists() or os.access(socket, os.W_OK):
        return ["docker", *arguments]
    return as_root(["docker", *arguments])


def answers() -> bool:
    """Tell whether a Docker engine answers."""
    return capture(docker_command("info", "--format", "{{.ServerVersion}}"), timeout=20)[0] == 0


def ensure_engine() -> str:
    """Make a Docker engine answer and return its version.

    Raises:
        StageFailure: It could not be installed or does not answer within a minute.
    """
    if not answers():
        ensure_packages({"docker.io": "dockerd", "iptables": "/usr/sbin/iptables"})
        log = cache_directory() / "dockerd.log"
        if Path("/run/systemd/system").is_dir():
            capture(as_root(["systemctl", "start", "docker"]), timeout=90)
        else:
            _forget_dead_engine()
            with log.open("ab") as sink:
                subprocess.Popen(  # noqa: S603 - a fixed command line
                    as_root(["dockerd"]),
                    stdout=sink,
                    stderr=sink,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
        deadline = time.monotonic() + _START_SECONDS
        while not answers():
            if time.monotonic() > deadline:
                raise StageFailure(
                    f"the Docker engine did not answer within {_START_SECONDS:.0f} s",
                    f"look at {log} or `journalctl -u docker`; start it and run the same command again",
                )
            time.sleep(1)
    return docker("info", "--format", "{{.ServerVersion}}")


def _forget_dead_engine() -> None:
    """Remove the process ids that a killed engine left behind.

    Both daemons refuse to start, or wait, when some other program has that number by now.
    """
    for name, pid_file in _PID_FILES.items():
        if not pid_file.exists():
            continue
        owner = Path("/proc") / pid_file.read_text().strip() / "comm"
        if not owner.exists() or owner.read_text().strip() != name:
            capture(as_root(["rm", "-f", str(pid_file)]))


def build_environment() -> dict[str, str]:
    """Return the environment for ``docker build``: without buildx the classic builder must be asked for."""
    return {} if capture(docker_command("buildx", "version"))[0] == 0 else {"DOCKER_BUILDKIT": "0"}
