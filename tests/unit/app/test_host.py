"""Cores and memory of this process, from the files of a made-up /proc and /sys."""

import os
from pathlib import Path

import pytest

from assistant.inference.host import usable_cores, usable_memory

GB = 1 << 30
MEMINFO = f"MemTotal: {16 * GB // 1024} kB\nMemFree: 1024 kB\nMemAvailable: {10 * GB // 1024} kB\n"


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)))


def host(root: Path, cgroup: str, **files: str) -> Path:
    """A root with /proc, and files below /sys/fs/cgroup: double underscores in names are slashes."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    (root / "proc/meminfo").write_text(MEMINFO)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("1600000 100000", 8), ("broken", 8)],
)
def test_threads_follow_the_quota_of_a_v2_container(tmp_path: Path, quota: str, cores: int) -> None:
    assert usable_cores(host(tmp_path, "0::/\n", cpuDOTmax=quota + "\n")) == cores


@pytest.mark.parametrize(("quota", "cores"), [("200000", 2), ("-1", 8)])
def test_threads_follow_the_quota_of_a_v1_container(tmp_path: Path, quota: str, cores: int) -> None:
    root = host(
        tmp_path,
        # The path is the host's; in the container only the mount's root is there.
        "4:memory:/docker/0123\n3:cpu,cpuacct:/docker/0123\n",
        cpu__cpuDOTcfs_quota_us=quota,
        cpu__cpuDOTcfs_period_us="100000\n",
    )
    assert usable_cores(root) == cores


def test_a_limit_above_the_process_counts(tmp_path: Path) -> None:
    root = host(
        tmp_path,
        "0::/machine/service\n",
        machine__cpuDOTmax="300000 100000",
        machine__memoryDOTmax=str(4 * GB),
        machine__service__cpuDOTmax="max 100000",
        machine__service__memoryDOTmax="max",
    )
    assert usable_cores(root) == 3
    assert usable_memory(root).size == 4 * GB


def test_without_a_limit_the_memory_is_what_the_host_has_available(tmp_path: Path) -> None:
    memory = usable_memory(host(tmp_path, "0::/\n", memoryDOTmax="max\n"))
    assert (memory.size, memory.source) == (10 * GB, "the host's available memory")


@pytest.mark.parametrize("limit", [9223372036854771712, 16 * GB])
def test_a_limit_that_limits_nothing_is_none(tmp_path: Path, limit: int) -> None:
    root = host(tmp_path, "4:memory:/\n", memory__memoryDOTlimit_in_bytes=f"{limit}\n")
    assert usable_memory(root).size == 10 * GB


def test_the_limit_of_a_v1_container(tmp_path: Path) -> None:
    root = host(tmp_path, "4:memory:/docker/01\n0::/\n", memory__memoryDOTlimit_in_bytes=f"{4 * GB}\n")
    memory = usable_memory(root)
    assert (memory.size, memory.source) == (4 * GB, "the container's memory limit")
