"""Whether the kernel ended a process of a container for its memory limit.

Docker's own word, OOMKilled, may come with the container's end alone; gunicorn's master outlives its worker.
"""

from __future__ import annotations

from pathlib import Path

PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")


def oom_kills(pid: int, proc: Path = PROC, cgroup: Path = CGROUP) -> int:
    """Return how often that happened in the control group of the process ``pid``; 0 where it cannot be known.

    A container has a control group of its own for each of its starts. Version 2 counts in memory.events,
    version 1 in memory.oom_control (docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html).
    """
    try:
        lines = (proc / str(pid) / "cgroup").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return 0
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            file = cgroup / path.lstrip("/") / "memory.events"
        elif "memory" in controllers.split(","):
            file = cgroup / "memory" / path.lstrip("/") / "memory.oom_control"
        else:
            continue
        count = _count(file)
        if count:
            return count
    return 0


def _count(file: Path) -> int:
    try:
        for line in file.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    except (OSError, ValueError):
        pass
    return 0
