"""Writes numbered lines as the assistant's container does, at a rate, whatever becomes of them."""

from __future__ import annotations

import json
import threading
import time

from tests.logging.filebeat import Shipper

_PIECES_PER_SECOND = 10


class Writer:
    """A thread that appends ``rate`` lines a second to Docker's file until it is stopped."""

    def __init__(self, shipper: Shipper, rate: int) -> None:
        """Write nothing yet."""
        self._shipper = shipper
        self._rate = rate
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.slowest = 0.0
        """The longest time that a write took, in seconds."""
        self.written = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> int:
        """End; returns how many lines there are."""
        self._stopped.set()
        self._thread.join()
        return self.written

    def rotate(self) -> None:
        """Move the file aside as Docker does at its largest size; the next line makes a new one."""
        self._shipper.container.rename(f"{self._shipper.container}.1")

    def add(self, number: int) -> None:
        """Write ``number`` lines at once."""
        lines = [line(self.written + index) for index in range(number)]
        self._shipper.write_container(lines)
        self.written += number

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopped.is_set():
            before = time.monotonic()
            self.add(self._rate // _PIECES_PER_SECOND)
            self.slowest = max(self.slowest, time.monotonic() - before)
            due += 1 / _PIECES_PER_SECOND
            self._stopped.wait(max(0.0, due - time.monotonic()))


def line(number: int) -> str:
    """Return the line with a number: of the fields and length of the assistant's."""
    return json.dumps(
        {
            "@timestamp": "2026-11-27T00:59:30.621Z",
            "log.level": "info",
            "message": "received",
            "ecs.version": "1.6.0",
            "assistant": {"platform": "feishu", "inbox_id": number},
            "event": {"action": "message-received", "dataset": "ai-assistant.app", "outcome": "success"},
            "log": {"logger": "assistant.channels.inbox"},
            "process": {"thread": {"name": "gthread_3"}},
            "service": {"name": "ai-assistant", "version": "0.1.0"},
            "trace": {"id": f"{number:032x}"},
        }
    )


def numbers(messages: list[str]) -> list[int]:
    """Return the numbers of lines, sorted."""
    return sorted(int(json.loads(message)["trace"]["id"], 16) for message in messages)
