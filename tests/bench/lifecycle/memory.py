"""A memory limit that the kernel sees to, for a process of this machine.

A cgroup below this process's own: https://docs.kernel.org/admin-guide/cgroup-v1/memory.html and
https://docs.kernel.org/admin-guide/cgroup-v2.html. A container's limit is one, too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.controller.failure import StageFailure

EMPTY_SECONDS = 10.0
_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Limited:
    """A cgroup with a limit."""

    folder: Path

    def enter(self, process: int) -> None:
        """Put ``process`` under the limit, and what it starts from now on."""
        (self.folder / "cgroup.procs").write_text(f"{process}\n")

    @property
    def killed(self) -> int:
        """How many processes the kernel has ended for want of memory."""
        one, two = self.folder / "memory.oom_control", self.folder / "memory.events"
        lines = (one if one.exists() else two).read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


@contextmanager
def limited(name: str, size: int) -> Iterator[Limited]:
    """Make a cgroup that may hold ``size`` bytes; removed afterwards, when it must be empty.

    Raises:
        StageFailure: this machine does not let us.
    """
    folder = _own() / f"{name}-{os.getpid()}"
    try:
        folder.mkdir()
        one = folder / "memory.limit_in_bytes"
        (one if one.exists() else folder / "memory.max").write_text(f"{size}\n")
    except OSError as error:
        raise StageFailure(
            f"{folder}: no memory limit can be set: {error.strerror}",
            "run as root where the cgroups' memory controller may be used, or leave oom out: --faults",
        ) from error
    try:
        yield Limited(folder)
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    # A process that was ended is in there until it is buried.
    deadline = time.monotonic() + EMPTY_SECONDS
    while True:
        try:
            folder.rmdir()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _own() -> Path:
    """Return the folder of this process's cgroup that limits memory."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return _ROOT / "memory" / path.lstrip("/")
    return _ROOT / path.lstrip("/")
