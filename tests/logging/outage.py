"""Elasticsearch is away while lines are written; then nothing may be missing, and nothing there twice."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tests.logging.filebeat import Shipper, documents, wait_for
from tests.logging.node import Node
from tests.logging.writer import Writer, numbers


@dataclass(frozen=True)
class Outage:
    """What an outage came to."""

    written: int
    missing: int
    doubled: int
    queue_bytes: int
    """On the disk at the end of the absence."""
    catch_up_seconds: float
    """From Elasticsearch's first answer until the last line that waited is found."""
    slowest_write_seconds: float
    """Of a tenth of a second's lines, by who writes them."""


def queue_bytes(shipper: Shipper) -> int:
    """Return how much of Filebeat's queue is on the disk."""
    return sum(path.stat().st_size for path in Path(shipper.folder / "data" / "queue").glob("*.seg"))


def compare(node: Node, written: int) -> tuple[int, int]:
    """Return how many of the first ``written`` lines are missing, and how many are there more than once."""
    found = numbers([document["message"] for document in documents(node, "app")])
    return len(set(range(written)) - set(found)), len(found) - len(set(found))


def outage(node: Node, shipper: Shipper, rate: int, seconds: float) -> Outage:
    """Take Elasticsearch away for ``seconds`` under ``rate`` lines a second, and kill Filebeat in the middle.

    Docker's file is rotated while Filebeat is dead. The writer goes on until everything that waited is there.
    """
    writer = Writer(shipper, rate)
    writer.start()
    try:
        wait_for(node, "app", rate)
        node.stop(kill=True)
        time.sleep(seconds / 2)
        shipper.stop(kill=True)
        writer.rotate()
        shipper.start()
        time.sleep(seconds / 2)
        waiting = queue_bytes(shipper)
        node.start()
        returned, behind = time.monotonic(), writer.written
        # Once more while it sends what waited.
        wait_for(node, "app", 2 * rate, 180)
        shipper.stop(kill=True)
        shipper.start()
        wait_for(node, "app", behind, 900)
        caught_up = time.monotonic() - returned
    finally:
        written = writer.stop()
    wait_for(node, "app", written, 600)
    missing, doubled = compare(node, written)
    return Outage(written, missing, doubled, waiting, round(caught_up, 1), round(writer.slowest, 3))
