"""What this process may use of its host: cores and memory, with a container's limits.

cgroup v2 has one tree and v1 one for each controller; a limit may stand at any level above the process
(https://docs.kernel.org/admin-guide/cgroup-v2.html; .../cgroup-v1/memory.html;
https://docs.kernel.org/scheduler/sched-bwc.html). In a container the path in /proc/self/cgroup may be the
host's, and then only the mount's own root is seen, which is the container's.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path("/")


@dataclass(frozen=True)
class Memory:
    """How much memory there is for this process, in bytes, and what says so."""

    size: int
    source: str


def usable_cores(root: Path = ROOT) -> int:
    """Return how many cores this process may use: its CPU mask and, in a container, its CPU quota.

    Args:
        root: where /proc and /sys are looked for.
    """
    cores = len(os.sched_getaffinity(0))
    quotas = [quota for folder in _folders(root, "cpu") if (quota := _cpu_quota(folder)) is not None]
    return min(cores, max(1, round(min(quotas)))) if quotas else cores


def usable_memory(root: Path = ROOT) -> Memory:
    """Return the container's memory limit, or else what the host has available at the moment.

    Args:
        root: where /proc and /sys are looked for.
    """
    host = _host_memory(root)
    limits = [limit for folder in _folders(root, "memory") if (limit := _memory_limit(folder)) is not None]
    # Without a limit v1 shows a number close to 2^63, and a limit above what the host has is none.
    if limits and min(limits) < host["MemTotal"]:
        return Memory(min(limits), "the container's memory limit")
    return Memory(host["MemAvailable"], "the host's available memory")


def container_memory(root: Path = ROOT) -> tuple[int | None, int | None]:
    """Return how many bytes this container holds, and its limit; None for what cannot be read or is not set.

    Pages of files that were not used lately do not count: the kernel drops them before it kills anything.

    Args:
        root: where /proc and /sys are looked for.
    """
    total = _host_memory(root).get("MemTotal", 0)
    used: int | None = None
    limits: list[int] = []
    for folder in _folders(root, "memory"):
        limit = _memory_limit(folder)
        tighter = limit is not None and limit < min([total, *limits])
        if limit is not None and tighter:
            limits.append(limit)
        # What is held under the tightest limit: of that, the limit is a limit.
        if used is None or tighter:
            held = _held(folder)
            used = used if held is None else held
    return used, min(limits, default=None)


def _held(folder: Path) -> int | None:
    text = _text(folder / "memory.current") or _text(folder / "memory.usage_in_bytes")
    if not text.strip().isdigit():
        return None
    stat = dict(line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines() if " " in line)
    idle = stat.get("inactive_file") if "anon" in stat else stat.get("total_inactive_file")
    return max(0, int(text) - int(idle or 0))


def free_memory(root: Path = ROOT) -> int:
    """Return how many bytes this process may still take without anything being killed for it.

    Args:
        root: where /proc and /sys are looked for.
    """
    free = _host_memory(root)["MemAvailable"]
    for folder in _folders(root, "memory"):
        if (limit := _memory_limit(folder)) is not None:
            free = min(free, limit - _anonymous(folder))
    return max(0, free)


def _anonymous(folder: Path) -> int:
    """Return what a cgroup holds that the kernel cannot drop: all but pages of files."""
    for line in _text(folder / "memory.stat").splitlines():
        name, _, size = line.partition(" ")
        if name in {"anon", "total_rss"}:  # v2 and v1
            return int(size)
    return 0


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's cgroup and of those above it."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controller if controllers else "")
        inner = PurePosixPath(path)
        for level in (inner, *inner.parents):
            yield mount / str(level).lstrip("/")


def _cpu_quota(folder: Path) -> float | None:
    words = _text(folder / "cpu.max").split() or [
        *_text(folder / "cpu.cfs_quota_us").split(),
        *_text(folder / "cpu.cfs_period_us").split(),
    ]
    if len(words) != 2 or not all(word.isdigit() for word in words):  # "max", or -1 in v1: no quota
        return None
    return int(words[0]) / int(words[1])


def _memory_limit(folder: Path) -> int | None:
    text = _text(folder / "memory.max") or _text(folder / "memory.limit_in_bytes")
    return int(text) if text.strip().isdigit() else None


def _host_memory(root: Path) -> dict[str, int]:
    """Return /proc/meminfo, in bytes."""
    found = {}
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0]) * 1024
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
