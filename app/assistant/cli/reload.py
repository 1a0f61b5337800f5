"""``python -m assistant reload``: another model, loaded without a refused connection.

gunicorn's worker is told to end in an orderly way, and its master, which holds the listening socket, starts
another: who connects in between waits instead of being turned away. The new worker reads the model's file
anew. Settings and secrets are the master's; for those the container has to be restarted.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.settings import SettingsError, load_settings

_PROC = Path("/proc")
# Longer than gunicorn's graceful_timeout (gunicorn.conf.py) and what the background threads need to end.
_SECONDS = 35.0
# Another than 1 and 2, by which Python and argparse end, and Docker's own from 125 on.
REFUSED = 3
UNCHANGED, YOUNGER, RELOADED = "unchanged", "younger", "reloaded"


@dataclass(frozen=True)
class Worker:
    """A process that gunicorn's master forked; ``began`` in seconds since 1970."""

    pid: int
    began: float


def run(*, look: bool, master: int) -> int:
    """Reload the model where its file, or the link to it, is younger than the worker.

    Prints ``unchanged`` or ``reloaded``; with ``look`` nothing is done and ``younger`` says that it would be.

    Args:
        look: only say it.
        master: gunicorn's process id; 1 in the container.

    Returns:
        The exit status: 0; ``REFUSED`` where the file, or another setting, cannot be served and nothing was
        done; 1 where there is no process to reload it. The reason is on standard error.
    """
    try:
        settings = load_settings()
    except SettingsError as error:
        # The next worker would end by this: the one that serves is left alone.
        print(error, file=sys.stderr)
        return REFUSED
    workers = list(_workers(master))
    if not workers:
        print(
            f"reload: process {master} has no worker; the assistant is starting or stopping. "
            "Try again, or restart the container: docker restart ai-core",
            file=sys.stderr,
        )
        return 1
    changed = 0.0 if settings.backend_url else _changed(settings.model_path)
    old = [worker for worker in workers if worker.began < changed]
    if not old or look:
        print(YOUNGER if old else UNCHANGED)
        return 0
    for worker in old:
        _end(worker.pid)
    print(RELOADED)
    return 0


def _changed(model: Path) -> float:
    """Return when the link or what it leads to came there: ctime, for a moved file keeps its mtime."""
    return max(model.lstat().st_ctime, model.stat().st_ctime)


def _workers(master: int) -> Iterator[Worker]:
    """Find the master's own forks: they share its command line; an orphan that it adopted has another."""
    line = _command_line(master)
    ticks = os.sysconf("SC_CLK_TCK")
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal() or not line:
            continue
        try:
            # proc_pid_stat(5); the second field, the name, may hold spaces and brackets.
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        state, parent, started = fields[0], int(fields[1]), int(fields[19])
        if parent == master and state != "Z" and _command_line(int(folder.name)) == line:
            yield Worker(int(folder.name), booted + started / ticks)


def _command_line(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _end(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not _ended(handle, _SECONDS):
            print(f"reload: worker {pid} did not end within {_SECONDS:.0f} s and is killed", file=sys.stderr)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            _ended(handle, _SECONDS)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def _ended(handle: int, seconds: float) -> bool:
    # pidfd_open(2): it is readable once the process has ended.
    return bool(select.select([handle], [], [], seconds)[0])
