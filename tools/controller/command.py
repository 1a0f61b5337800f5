"""Run a program with its output in a log file and its progress on the terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.controller.failure import StageFailure

_QUIET_SECONDS = 15.0  # a terminal that is not interactive (CI) gets one line this often
_TAIL_LINES = 25


def as_root(command: Sequence[str]) -> list[str]:
    """Return the command, through sudo where this process is not root.

    Raises:
        StageFailure: Neither root nor sudo is at hand.
    """
    if os.geteuid() == 0:
        return list(command)
    if shutil.which("sudo") is None:
        raise StageFailure(f"'{command[0]}' needs root", "run make as root, or install sudo")
    return ["sudo", *command]


def make_ours(path: Path) -> None:
    """Give a file that was made through sudo to the user who runs this."""
    if os.geteuid() != 0:
        capture(as_root(["chown", f"{os.getuid()}:{os.getgid()}", str(path)]))


def capture(command: Sequence[str], timeout: float = 60.0) -> tuple[int, str]:
    """Run a short command and return (exit status, its output and errors together).

    Args:
        timeout: Seconds; when they have passed, the status is 124.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the callers' own command lines
            list(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return 127, f"{command[0]}: not installed"
    except subprocess.TimeoutExpired:
        return 124, f"{command[0]}: no answer within {timeout:.0f} s"
    return done.returncode, done.stdout


class _Progress:
    """One line of progress: rewritten on a terminal, repeated now and then elsewhere."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._start = self._shown = time.monotonic()

    def show(self, text: str) -> None:
        now = time.monotonic()
        if self._tty:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\033[K" + f"      {now - self._start:4.0f} s  {text}"[:width])
        elif now - self._shown >= _QUIET_SECONDS:
            self._shown = now
            sys.stderr.write(f"      {now - self._start:4.0f} s  {text[:110]}\n")
        sys.stderr.flush()

    def clear(self) -> None:
        if self._tty:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def run(
    command: Sequence[str],
    *,
    log: Path,
    what: str,
    remedy: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    line_prefix: str = "",
) -> None:
    """Run a long command: everything it says goes to ``log``, its last line to the terminal.

    Args:
        what: The command in plain words, for the error text.
        remedy: What to do when it fails.
        env: Variables set on top of this process's own.
        line_prefix: Show only lines that start so as progress (``TASK`` for Ansible).

    Raises:
        StageFailure: The command could not be started or ended with another status than 0; the last lines are
            in the text.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    latest = [what]

    try:
        process = subprocess.Popen(  # noqa: S603 - the callers' own command lines
            list(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env={**os.environ, **(env or {})},
        )
    except OSError as error:
        raise StageFailure(f"{what}: cannot start {command[0]}: {error.strerror}", remedy) from error

    def read() -> None:
        with log.open("ab") as sink:
            for raw in process.stdout or ():
                sink.write(raw)
                sink.flush()
                text = raw.decode(errors="replace").strip()
                if text:
                    tail.append(text)
                    if text.startswith(line_prefix):
                        latest[0] = text.rstrip("* ")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    progress = _Progress()
    try:
        while reader.is_alive():
            reader.join(0.5)
            progress.show(latest[0])
        status = process.wait()
    except BaseException:
        process.terminate()
        raise
    finally:
        progress.clear()
    if status != 0:
        last = "\n".join(f"    {line}" for line in tail)
        raise StageFailure(
            f"{what} ended with status {status}; its last lines:\n{last}\n    (all of it: {log})", remedy
        )
