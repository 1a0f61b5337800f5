"""What Filebeat costs the assistant's host: its CPU time while it ships what 100 requests a second write."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.logging.filebeat import Shipper, prepare, shipper, wait_for
from tests.logging.node import data_node
from tests.logging.writer import Writer
from tools.elastic.shipper import Filebeat


@dataclass(frozen=True)
class Shipping:
    """What Filebeat takes."""

    busy: float
    """CPU while lines are written, in percent of one core."""
    idle: float
    """While none are."""
    resident_mb: float
    """Memory at the end."""


_REQUEST = {
    "@timestamp": "2026-11-27T00:59:47+00:00",
    "log.level": "info",
    "message": "request",
    "ecs.version": "1.6.0",
    "service": {"name": "nginx"},
    "event": {"dataset": "nginx.access", "action": "request", "outcome": "success", "duration": 41000000},
    "source": {"ip": "203.0.113.9"},
    "http": {"version": "1.1", "request": {"method": "POST"}, "response": {"status_code": 200}},
    "url": {"path": "/webhooks/feishu", "domain": "assistant.example.org"},
    "tls": {"version": "1.3"},
    "nginx": {"upstream": {"seconds": "0.041", "status": "200"}},
}


def shipping_cost(filebeat: Filebeat, requests: int, lines: int, seconds: int) -> Shipping:
    """Measure Filebeat with all of the role's sources.

    Args:
        filebeat: the program.
        requests: a second; each is a line of nginx and ``lines`` of the assistant.
        lines: of the assistant.
        seconds: how long is measured, after what it takes to start.
    """
    with tempfile.TemporaryDirectory() as name, data_node() as node:
        prepare(node)
        with shipper(Path(name), filebeat.program, node, filebeat_queue_mb=1024) as running:
            writer = Writer(running, requests * lines)
            writer.add(1)
            wait_for(node, "app", 1)
            start = running.cpu_seconds()
            time.sleep(seconds)
            idle = running.cpu_seconds() - start
            start = running.cpu_seconds()
            writer.start()
            _write_requests(running, requests, seconds)
            written = writer.stop()
            # What was written is shipped within the block: on a busy machine it comes late.
            wait_for(node, "app", written, 300)
            wait_for(node, "nginx", requests * seconds, 300)
            busy = running.cpu_seconds() - start
            resident = running.stats()["beat"]["memstats"]["rss"]
    return Shipping(round(100 * busy / seconds, 2), round(100 * idle / seconds, 2), round(resident / 1e6, 1))


def _write_requests(running: Shipper, requests: int, seconds: int) -> None:
    start = time.monotonic()
    for second in range(seconds):
        with running.nginx.open("a") as file:
            for index in range(requests):
                trace = {"id": f"{second * requests + index:032x}"}
                file.write(json.dumps(_REQUEST | {"trace": trace}) + "\n")
        time.sleep(max(0.0, start + second + 1 - time.monotonic()))
