"""Nothing is lost and nothing doubled, whoever is away, killed or full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.app.process import until
from tests.logging.filebeat import count, prepare, shipper, wait_for
from tests.logging.node import Node, data_node
from tests.logging.outage import compare, outage, queue_bytes
from tests.logging.writer import Writer
from tools.elastic.shipper import Filebeat, cached_filebeat

# The smallest disk queue that Filebeat takes.
QUEUE = 10_000_000


@pytest.fixture(scope="module")
def filebeat() -> Filebeat:
    found = cached_filebeat()
    if found is None:
        pytest.skip("Filebeat is not built: make elastic")
    return found


@pytest.fixture
def node() -> Iterator[Node]:
    with data_node() as running:
        prepare(running)
        yield running


def test_elasticsearch_is_away_and_filebeat_is_killed(filebeat: Filebeat, node: Node, tmp_path: Path) -> None:
    with shipper(tmp_path, filebeat.program, node, filebeat_sources=["app"]) as running:
        found = outage(node, running, rate=100, seconds=20)
    assert found.written > 2000
    assert (found.missing, found.doubled) == (0, 0)


def test_a_full_queue_stops_the_reading(filebeat: Filebeat, node: Node, tmp_path: Path) -> None:
    with shipper(tmp_path, filebeat.program, node, filebeat_sources=["app"]) as running:
        writer = Writer(running, 0)
        writer.add(10)
        wait_for(node, "app", 10)
        node.stop()
        # Twice what the queue takes.
        while running.container.stat().st_size < 2 * QUEUE:
            writer.add(1000)
        until("the queue is full", lambda: queue_bytes(running) > 0.8 * QUEUE, 120)
        assert queue_bytes(running) <= QUEUE
        running.stop(kill=True)
        running.start()
        node.start()
        wait_for(node, "app", writer.written, 300)
        assert queue_bytes(running) <= QUEUE
    assert compare(node, writer.written) == (0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_the_disk_of_the_log_host_is_full(filebeat: Filebeat, node: Node, tmp_path: Path) -> None:
    node.stop()
    data = node.home / "data"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(data)], check=True)
    try:
        node.start()
        prepare(node)
        _watch_the_disk(node)
        with shipper(tmp_path, filebeat.program, node, filebeat_sources=["app"]) as running:
            writer = Writer(running, 100)
            writer.start()
            try:
                wait_for(node, "app", 100)
                filler = data / "filler"
                # Above 95 %, and with room for what Elasticsearch must write down before it refuses more.
                filler.write_bytes(b"\0" * (os.statvfs(data).f_bavail * 4096 - 9_000_000))
                until("Elasticsearch takes nothing more", lambda: _read_only(node), 90)
                there, written = count(node, "app"), writer.written
                until("the writer goes on", lambda: writer.written > written + 500, 60)
                assert count(node, "app") <= there + 100
                filler.unlink()
                wait_for(node, "app", there + 101, 180)
            finally:
                writer.stop()
            wait_for(node, "app", writer.written, 300)
        assert compare(node, writer.written) == (0, 0)
        node.stop()
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


def _watch_the_disk(node: Node) -> None:
    """Switch the watermarks on, which the test node has off, in their usual order."""
    settings = {
        "cluster.routing.allocation.disk.threshold_enabled": True,
        "cluster.routing.allocation.disk.watermark.low": "85%",
        "cluster.routing.allocation.disk.watermark.high": "90%",
        "cluster.routing.allocation.disk.watermark.flood_stage": "95%",
        "cluster.info.update.interval": "10s",
    }
    with node.client() as client:
        client.put("/_cluster/settings", json={"persistent": settings}).raise_for_status()


def _read_only(node: Node) -> bool:
    with node.client() as client:
        response = client.get("/logs-ai_assistant.app-default/_settings")
    if response.is_error:
        # A node whose disk is just full may be busy with that.
        return False
    blocks = [index["settings"]["index"].get("blocks", {}) for index in response.json().values()]
    return any(block.get("read_only_allow_delete") == "true" for block in blocks)
