"""Runs a real Filebeat with the settings that role filebeat writes, beside a journald of its own.

The journal is a real systemd-journald in a mount namespace of its own with an empty /run; what is
written to it and what reads it enters that namespace.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.logging.install import install_data_streams
from tests.logging.node import Node, free_port
from tests.unit.roles.rendering import render

STOP_SECONDS = 30.0
HOST = "assistant-1"
CONTAINER = "a" * 64
USER, PASSWORD = "ai_assistant_filebeat", "a-password-of-nobody"


def prepare(node: Node) -> None:
    """Give ``node`` templates and roles as role elk does, and the user that Filebeat is in a deployment."""
    with node.client() as client:
        install_data_streams(client)
        user = {"password": PASSWORD, "roles": ["ai_assistant_writer"]}
        client.put(f"/_security/user/{USER}", json=user).raise_for_status()


class Journal:
    """A journald whose sockets and files are in a mount namespace of its own."""

    def __init__(self, folder: Path) -> None:
        """Make nothing yet; ``folder`` gets its output."""
        self._log = folder / "journald.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait for its socket."""
        script = (
            "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal "
            "&& exec /lib/systemd/systemd-journald"
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + STOP_SECONDS
        ready = [*self.enter(), "test", "-S", "/run/systemd/journal/dev-log"]
        while subprocess.run(ready, capture_output=True).returncode != 0:
            assert self._process.poll() is None and time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)

    def enter(self) -> list[str]:
        """Return what a command line begins with that is to see this journal."""
        assert self._process is not None
        return ["nsenter", f"--mount=/proc/{self._process.pid}/ns/mnt"]

    def write(self, identifier: str, priority: str, text: str) -> None:
        """Write one entry as a program does through syslog(3); ``priority`` is facility.level."""
        command = ["logger", "--socket=/run/systemd/journal/dev-log", f"--tag={identifier}"]
        subprocess.run([*self.enter(), *command, f"--priority={priority}", "--", text], check=True)

    def stop(self) -> None:
        """Stop it; its entries go with the namespace."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)


@dataclass
class Shipper:
    """One Filebeat: its settings, its folder of data, and the logs that it reads, all below ``folder``."""

    folder: Path
    program: Path
    node: Node
    values: dict[str, Any] = field(default_factory=dict)
    """Variables of the role."""
    enter: list[str] = field(default_factory=list)
    """What its command line begins with (Journal.enter)."""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Render the role's settings, and make the folders of the logs."""
        self.container = self.folder / "containers" / CONTAINER / f"{CONTAINER}-json.log"
        self.nginx = self.folder / "access.log"
        self.container.parent.mkdir(parents=True, exist_ok=True)
        secrets = self.folder / "secrets"
        secrets.mkdir(exist_ok=True)
        self.metrics = free_port()
        ca = self.node.ca
        values = {
            "_filebeat_data": str(self.folder / "data"),
            "_filebeat_folder": str(secrets),
            "filebeat_host_name": HOST,
            "filebeat_containers_directory": str(self.folder / "containers"),
            "filebeat_nginx_log": str(self.nginx),
            "filebeat_fail2ban_log": str(self.folder / "fail2ban.log"),
            "filebeat_audit_log": str(self.folder / "audit.log"),
            "filebeat_output": "elasticsearch",
            "filebeat_hosts": [self.node.url],
            "filebeat_ca_certificate": ca.read_text() if ca else "",
            "filebeat_username": USER,
            "filebeat_password": PASSWORD,
            # The node of the version that is deployed has no processors.
            "filebeat_pipeline": "",
            "filebeat_queue_mb": 10,
            "filebeat_metrics_port": self.metrics,
            "filebeat_log_level": "info",
            **self.values,
        }
        if ca:
            (secrets / "ca.crt").write_bytes(ca.read_bytes())
        self.files = [
            render("filebeat", name, self.folder, values) for name in ("filebeat.yml.j2", "login.yml.j2")
        ]
        for file in self.files:
            file.chmod(0o600)

    @property
    def log(self) -> str:
        """What it says."""
        return (self.folder / "filebeat.out").read_text(errors="replace")

    def command(self, *arguments: str) -> list[str]:
        """Return its command line, with ``arguments`` before the paths."""
        places = [f"--path.{name}={self.folder / 'data'}" for name in ("home", "config", "data", "logs")]
        files = [part for file in self.files for part in ("-c", str(file))]
        return [*self.enter, str(self.program), *arguments, *files, *places]

    def start(self) -> None:
        """Start it; what it has to say goes to ``log``."""
        with (self.folder / "filebeat.out").open("ab") as log:
            self._process = subprocess.Popen(
                self.command("-e"),
                stdout=log,
                stderr=log,
                env={**os.environ, "GOMAXPROCS": "1", "GOMEMLIMIT": "200MiB"},
                start_new_session=True,
            )

    def stop(self, *, kill: bool = False) -> None:
        """Stop it as systemd does, or, with ``kill``, as the kernel does when memory is short."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        finally:
            # journalctl, which it runs, is of the same session.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def stats(self) -> dict[str, Any]:
        """Return its own figures (/stats), or nothing while it starts."""
        try:
            found: dict[str, Any] = httpx.get(f"http://127.0.0.1:{self.metrics}/stats").json()
        except (httpx.TransportError, json.JSONDecodeError):
            return {}
        return found

    def cpu_seconds(self) -> float:
        """Return the CPU time that it and its children took so far (proc(5), fields 14 to 17)."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(part) for part in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def write_container(self, lines: list[str], tag: str = "ai-core") -> None:
        """Append lines as Docker's json-file driver does."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        with self.container.open("a") as file:
            for number, line in enumerate(lines):
                entry = {"log": f"{line}\n", "stream": "stderr", "attrs": {"tag": tag}}
                file.write(json.dumps({**entry, "time": f"{now}.{number:09d}Z"}) + "\n")


@contextmanager
def shipper(folder: Path, program: Path, node: Node, **values: Any) -> Iterator[Shipper]:
    """Run Filebeat for ``node``; ``values`` are the role's variables. ``enter`` is Shipper's."""
    enter = values.pop("enter", [])
    running = Shipper(folder, program, node, values, enter)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def search(client: httpx.Client, dataset: str) -> Iterator[dict[str, Any]]:
    """Yield every document of a dataset, as Elasticsearch has it now; none where there is no stream yet."""
    stream = f"/logs-ai_assistant.{dataset}-default"
    if client.post(f"{stream}/_refresh").status_code == httpx.codes.NOT_FOUND:
        return
    answer = client.post(f"{stream}/_search", params={"scroll": "1m"}, json={"size": 5000, "sort": "_doc"})
    while True:
        answer.raise_for_status()
        found = answer.json()
        if not found["hits"]["hits"]:
            return
        yield from (hit["_source"] for hit in found["hits"]["hits"])
        answer = client.post("/_search/scroll", json={"scroll": "1m", "scroll_id": found["_scroll_id"]})


def documents(node: Node, dataset: str) -> list[dict[str, Any]]:
    """Return every document of a dataset."""
    with node.client() as client:
        return list(search(client, dataset))


def count(node: Node, dataset: str) -> int:
    """Return how many documents a dataset has; 0 where there is no stream yet."""
    stream = f"/logs-ai_assistant.{dataset}-default"
    with node.client() as client:
        client.post(f"{stream}/_refresh")
        answer = client.get(f"{stream}/_count")
        return int(answer.json()["count"]) if answer.is_success else 0


def wait_for(node: Node, dataset: str, number: int, seconds: float = 120) -> None:
    """Wait until a dataset has ``number`` documents; each look is work for a node that has enough of it."""
    deadline = time.monotonic() + seconds
    while (found := count(node, dataset)) < number:
        assert time.monotonic() < deadline, f"{found} of {number} lines after {seconds} s"
        time.sleep(1)
