"""Elasticsearch is away for minutes under 200 lines a second, Filebeat is killed: is a line lost or doubled?

The real Filebeat with the role's settings, over TLS, into the real Elasticsearch (docs/filebeat.md).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.bench.report import write_report
from tests.logging.filebeat import prepare, shipper
from tests.logging.node import data_node
from tests.logging.outage import outage
from tools.elastic.shipper import ensure_filebeat


def main() -> int:
    """Run it, write the report, and fail where a line is missing or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="how long Elasticsearch is away")
    parser.add_argument("--rate", type=int, default=200, help="lines a second")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    program = ensure_filebeat().program
    with (
        tempfile.TemporaryDirectory() as name,
        data_node() as node,
    ):
        prepare(node)
        values = {"filebeat_sources": ["app"], "filebeat_queue_mb": 1024}
        with shipper(Path(name), program, node, **values) as running:
            found = outage(node, running, arguments.rate, arguments.seconds)
    figures = {
        "lines_per_second": arguments.rate,
        "seconds_away": arguments.seconds,
        "lines_written": found.written,
        "lines_missing": found.missing,
        "lines_doubled": found.doubled,
        "queue_on_disk_mb": round(found.queue_bytes / 1e6, 1),
        "seconds_to_catch_up": found.catch_up_seconds,
        "slowest_write_seconds": found.slowest_write_seconds,
        "load_average_at_start": round(load, 2),
        "load_average_at_end": round(os.getloadavg()[0], 2),
        "cores": os.cpu_count() or 0,
    }
    write_report("log_outage", figures, {})
    if found.missing or found.doubled:
        print("missed: no line lost, none there twice", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
