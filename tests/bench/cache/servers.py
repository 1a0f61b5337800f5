"""The service and the yardstick, each under the service's own gunicorn settings, on this machine."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.bench.ack.rig import _free_ports
from tests.integration.app.process import APP, SECRETS, Assistant
from tools.controller.cache import ROOT
from tools.controller.failure import StageFailure
from tools.controller.model import DEMO_MODEL

TOKEN = SECRETS["api_token"]
PATH = "/v1/chat/completions"
# The service's own file with another application in it.
PLAIN_CONF = """
exec(open({conf!r}, encoding="utf-8").read())
wsgi_app = "tests.bench.cache.plain:application"
post_worker_init = lambda worker: None
worker_exit = lambda server, worker: None
child_exit = lambda server, worker: None
"""
SETTINGS = {
    "ASSISTANT_CONTEXT_TOKENS": "1024",
    "ASSISTANT_MAX_TOKENS": "64",
    "ASSISTANT_LOG_LEVEL": "info",
    "ASSISTANT_ANSWER_CACHE_SECONDS": "3600",
}


@contextmanager
def assistant(folder: Path) -> Iterator[Assistant]:
    """Run the assistant with the demonstration's model and its own gunicorn settings.

    Raises:
        StageFailure: it did not start; the text holds its log.
    """
    folder.mkdir()
    made = Assistant(folder, DEMO_MODEL, f"sqlite:///{folder}/assistant.db", SETTINGS)
    made.conf = APP / "gunicorn.conf.py"
    made.start(wait=False)
    try:
        _await(f"{made.url}/readyz", made.process, made.log_path)
        yield made
    finally:
        made.stop()


@contextmanager
def plain(folder: Path, environment: Mapping[str, str], answers: Mapping[str, str]) -> Iterator[str]:
    """Run the plain handler with ``answers``; gives its address.

    Raises:
        StageFailure: it did not start.
    """
    folder.mkdir()
    database = folder / "plain.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE answers (question TEXT PRIMARY KEY, answer TEXT NOT NULL)")
        connection.executemany("INSERT INTO answers VALUES (?, ?)", list(answers.items()))
    conf = folder / "gunicorn.conf.py"
    conf.write_text(PLAIN_CONF.format(conf=str(APP / "gunicorn.conf.py")))
    port = _free_ports(1)[0]
    variables = {
        **environment,
        "PYTHONPATH": f"{APP}:{ROOT}",
        "GUNICORN_BIND": f"127.0.0.1:{port}",
        "PLAIN_DATABASE": str(database),
    }
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", str(conf)],
            cwd=ROOT,
            env=variables,
            stdout=log,
            stderr=log,
        )
    try:
        _await(f"http://127.0.0.1:{port}/readyz", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _await(url: str, process: subprocess.Popen[bytes] | None, log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if process is None or process.poll() is not None or time.monotonic() > deadline:
            raise StageFailure(f"{url} is not there:\n{log.read_text()[-2000:]}", f"see {log}")
        time.sleep(0.1)


def call(client: httpx.Client, question: str, **more: Any) -> tuple[str, str]:
    """Ask over the API; returns the answer and where it came from (the header X-Cache).

    Raises:
        StageFailure: it was not answered.
    """
    body = {"messages": [{"role": "user", "content": question}], "temperature": 0, **more}
    response = client.post(PATH, json=body, headers={"Authorization": f"Bearer {TOKEN}"})
    if response.status_code != 200:
        raise StageFailure(f"'{question}' got {response.status_code}: {response.text[:300]}", "see the log")
    return response.json()["choices"][0]["message"]["content"], response.headers["X-Cache"]


def hits(running: Assistant) -> float:
    """Return how many answers came out of the cache so far."""
    found = re.search(
        r'^assistant_answer_cache_total\{result="hit"\} (\S+)$', running.get("/metrics").text, re.MULTILINE
    )
    return float(found[1]) if found else 0.0


def write_bodies(path: Path, questions: Sequence[str]) -> None:
    """Write one request's body a line, as the load generator reads them."""
    bodies = [{"messages": [{"role": "user", "content": text}], "temperature": 0} for text in questions]
    path.write_text("".join(json.dumps(body) + "\n" for body in bodies))
