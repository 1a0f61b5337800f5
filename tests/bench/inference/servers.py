"""Starting the three servers the same way: one file, the same threads, room for the same conversations."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.bench.inference.prompts import SYSTEM
from tests.integration.app.process import APP, SECRETS, Assistant

THREADS = 2
# As many conversations at once as are ever asked for, and room for each.
PARALLEL = 16
CONTEXT_TOKENS = 1024
LOAD_SECONDS = 600.0
TOKEN = SECRETS["api_token"]
OURS, LLAMA_SERVER, LLAMA_CPP_SERVER = "assistant", "llama_server", "llama_cpp_server"


@dataclass(frozen=True)
class Running:
    """A server that answers; ``process`` leads a process group of its own."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    seconds_to_ready: float


@contextmanager
def assistant(model: Path, folder: Path) -> Iterator[Running]:
    """Run the whole assistant, inbox and outbox included, over its HTTP API."""
    settings = {
        "ASSISTANT_SYSTEM_PROMPT": SYSTEM,
        "ASSISTANT_CONTEXT_TOKENS": str(CONTEXT_TOKENS),
        "ASSISTANT_MAX_TOKENS": "64",
        "ASSISTANT_PARALLEL": str(PARALLEL),
        "ASSISTANT_THREADS": str(THREADS),
        "ASSISTANT_LOG_LEVEL": "info",
        "ASSISTANT_REQUEST_DEADLINE_SECONDS": "600",
    }
    folder.mkdir(parents=True, exist_ok=True)
    ours = Assistant(folder, model, f"sqlite:///{folder}/assistant.db", settings)
    begun = time.perf_counter()
    ours.start(wait=False)
    assert ours.process is not None
    try:
        _await(f"{ours.url}/readyz", ours.process, ours.log_path)
        yield Running(OURS, ours.url, ours.process, time.perf_counter() - begun)
    finally:
        ours.stop()


@contextmanager
def llama_server(program: Path, model: Path, folder: Path) -> Iterator[Running]:
    """Run llama.cpp's own server, which batches."""
    command = [str(program), "--model", str(model), "--host", "127.0.0.1", "--api-key", TOKEN]
    command += ["--threads", str(THREADS), "--threads-batch", str(THREADS)]
    command += ["--parallel", str(PARALLEL), "--ctx-size", str(CONTEXT_TOKENS * PARALLEL)]
    with _started(LLAMA_SERVER, command, "/health", folder) as running:
        yield running


@contextmanager
def llama_cpp_server(python: Path, model: Path, folder: Path) -> Iterator[Running]:
    """Run llama-cpp-python's server, which answers one request at a time."""
    command = [str(python), str(Path(__file__).with_name("llama_cpp_server_main.py")), "--model", str(model)]
    command += ["--host", "127.0.0.1", "--api_key", TOKEN, "--n_ctx", str(CONTEXT_TOKENS)]
    command += ["--n_threads", str(THREADS), "--n_threads_batch", str(THREADS)]
    # By default a new request breaks off a streamed answer.
    command += ["--interrupt_requests", "false"]
    with _started(LLAMA_CPP_SERVER, command, "/v1/models", folder) as running:
        yield running


@contextmanager
def _started(name: str, command: list[str], path: str, folder: Path) -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    begun = time.perf_counter()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            stdout=sink,
            stderr=sink,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(APP)},
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _await(f"{url}{path}", process, log)
        yield Running(name, url, process, time.perf_counter() - begun)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + LOAD_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(
                f"{url} ended with status {process.returncode}:\n{log.read_text(errors='replace')[-3000:]}"
            )
        try:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            if httpx.get(url, headers=headers, trust_env=False, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    sys.exit(f"{url} is not ready after {LOAD_SECONDS:.0f} s; see {log}")


def memory_mib(running: Running) -> dict[str, float]:
    """Return the resident and the proportional memory of a server's processes, MiB.

    Proportional memory shares pages among those that map them (proc(5), ``smaps_rollup``: Pss).
    """
    totals = {"Rss": 0, "Pss": 0}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            group = int(status.read_text().rpartition(")")[2].split()[2])
            if group != running.process.pid:
                continue
            lines = status.with_name("smaps_rollup").read_text().splitlines()
        except (OSError, ValueError):  # it ended meanwhile
            continue
        for line in lines:
            name, _, rest = line.partition(":")
            if name in totals:
                totals[name] += int(rest.split()[0])
    return {"resident": totals["Rss"] / 1024, "proportional": totals["Pss"] / 1024}
