"""``make bench-metrics``: how long a scrape of /metrics takes, at rest and while the model is busy.

The app under its own gunicorn settings behind nginx, as in ``make bench-ack``, and beside it a plain Flask
application under gunicorn with prometheus_client's default registry: on the same machine, in the same
seconds, a scrape of the one after a scrape of the other. Under load, 100 webhooks a second arrive: more
than the model can answer, so that there is always work in line. Each scrape has a connection of its own, as
a scraper's first one has.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.ack.__main__ import PER_SECOND, WARM_UP, percentile
from tests.bench.ack.arrivals import arrive
from tests.bench.ack.rig import (
    INSIDE_PRIORITY,
    PARALLEL,
    Rig,
    assembled,
    going_first,
    nginx_configuration,
    prefer,
)
from tests.bench.ack.traffic import People, questions
from tests.bench.report import Figure, write_report
from tools.controller.failure import StageFailure

# Between two scrapes: far more often than any Prometheus, and seldom enough to be no load.
PAUSE_SECONDS = 0.2
BUSY = re.compile(rb"^assistant_batch_rows (\S+)$", re.MULTILINE)
WAITING = re.compile(rb"^assistant_inbox_waiting (\S+)$", re.MULTILINE)
PLAIN = """
from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
app = Flask(__name__)
@app.get("/metrics")
def metrics():
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)
"""


def scrape(port: int) -> tuple[float, bytes]:
    """Return the milliseconds that one scrape took, connecting included, and what it showed."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != 200:
        raise StageFailure(f"/metrics at port {port}: HTTP {response.status}", "see the app's log")
    return 1000 * (time.perf_counter() - started), body


def scrapes(ports: dict[str, int], seconds: float) -> tuple[dict[str, list[float]], float, float]:
    """Scrape each of ``ports`` in turn for ``seconds``; return the milliseconds by name, and how busy it was.

    The latter are the mean share of busy slots and the fewest messages without an answer that the app's
    scrapes show.
    """
    taken: dict[str, list[float]] = {name: [] for name in ports}
    rows: list[float] = []
    waiting: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, port in ports.items():
            milliseconds, body = scrape(port)
            taken[name].append(milliseconds)
            rows.extend(float(found) for found in BUSY.findall(body))
            waiting.extend(float(found) for found in WAITING.findall(body))
            time.sleep(PAUSE_SECONDS)
    return taken, statistics.fmean(rows) / PARALLEL, min(waiting)


@contextmanager
def plain_flask(folder: Path, port: int) -> Iterator[int]:
    """Run the plain application; gives its port."""
    (folder / "plain.py").write_text(PLAIN)
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-b",
        f"127.0.0.1:{port}",
        "-k",
        "gthread",
        "--threads",
        "16",
    ]
    process = subprocess.Popen(
        [*command, "--no-control-socket", "plain:app"], cwd=folder, start_new_session=True
    )
    prefer(process.pid, INSIDE_PRIORITY)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                scrape(port)
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise StageFailure(
                        "the plain Flask application did not start", " ".join(command)
                    ) from None
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def loaded(rig: Rig, ports: dict[str, int], seconds: float) -> tuple[dict[str, list[float]], float, float]:
    """Scrape while 100 webhooks a second arrive, more than can be answered; return as ``scrapes`` does.

    Raises:
        StageFailure: a webhook was not accepted, or at some time there was no work in line.
    """
    asked = questions()
    texts = [f"{asked[n % len(asked)]} ({n})" for n in range(WARM_UP + int(PER_SECOND * seconds))]
    people = People()
    arrive(rig.door, people.write(texts, WARM_UP), PER_SECOND)
    posts = people.write(texts[WARM_UP:], int(PER_SECOND * seconds))
    refused: list[int] = []
    sender = threading.Thread(
        target=lambda: refused.extend(
            a.status for a in arrive(rig.door, posts, PER_SECOND) if a.status != 200
        )
    )
    sender.start()
    time.sleep(1)
    taken, rows, waiting = scrapes(ports, seconds - 2)
    sender.join()
    # The model's slots are free for a moment between two answers; what says that it is behind is the line.
    if refused or waiting <= PARALLEL:
        raise StageFailure(
            f"{len(refused)} refused, at some time only {waiting:.0f} waited", rig.assistant.log()[-2000:]
        )
    return taken, rows, waiting


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write build/bench/metrics.json; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each part (default: 60)")
    seconds = parser.parse_args(arguments).seconds
    loads = [os.getloadavg()[0]]
    with (
        tempfile.TemporaryDirectory(prefix="bench-metrics-") as place,
        going_first() as first,
        ExitStack() as held,
    ):
        folder = Path(place)
        (folder / "rig").mkdir()
        rig = held.enter_context(assembled(folder / "rig", nginx_configuration(folder), []))
        plain = held.enter_context(plain_flask(folder, rig.assistant.port + 1))
        ports = {"app": rig.assistant.port, "plain_flask": plain}
        rest, *_ = scrapes(ports, seconds)
        loads.append(os.getloadavg()[0])
        busy, rows, waiting = loaded(rig, ports, seconds)
        loads.append(os.getloadavg()[0])
        sizes = {name: len(scrape(port)[1]) for name, port in ports.items()}
    found: dict[str, Figure] = {
        "load_before": loads[0],
        "load_rest": loads[1],
        "load_busy": loads[2],
        "scraper_going_first": first,
        "slots_busy": rows,
        "fewest_waiting": waiting,
    }
    for part, taken in (("rest", rest), ("load", busy)):
        for name, values in taken.items():
            for percent in (50, 99):
                found[f"{name}_{part}_p{percent}_ms"] = round(percentile(values, percent), 2)
            found[f"{name}_{part}_scrapes"] = len(values)
    for name, size in sizes.items():
        found[f"{name}_bytes"] = size
    write_report("metrics", found, {"rest": [rest], "load": [busy]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
