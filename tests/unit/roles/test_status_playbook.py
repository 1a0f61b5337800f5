"""playbooks/status.yml: what it shows and when it fails, with disks and alerts of a test's choice."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

ROOT = Path(__file__).resolve().parents[3]


class _Alerts(BaseHTTPRequestHandler):
    alerts: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        body = json.dumps(self.alerts).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _alert(name: str, severity: str) -> dict[str, Any]:
    return {"labels": {"alertname": name, "severity": severity}, "status": {"state": "active"}}


@pytest.fixture
def alertmanager() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Alerts) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Host:
    """This machine, with programs of a test's own in front of its path."""

    def __init__(self, folder: Path, alertmanager: str) -> None:
        self.folder, self.alertmanager = folder, alertmanager
        self.program("df", "echo Filesystem; echo /dev/sda1 100 40 60 40% /")
        well = 'case $1 in inspect) echo "running, healthy";; exec) echo "state         READY";; esac'
        self.program("docker", well)
        self.program("systemctl", "true")

    def program(self, name: str, body: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def status(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        host = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "alertmanager_listen_address": self.alertmanager,
        }
        inventory = self.folder / "hosts.json"
        groups = {"assistant": {"hosts": {"here": host}}, "monitoring": {"hosts": {"here": {}}}}
        inventory.write_text(json.dumps(groups))
        playbook = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory)]
        return subprocess.run(
            [*playbook, "playbooks/status.yml", *arguments],
            cwd=ROOT,
            env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def this_host(tmp_path: Path, alertmanager: str) -> Host:
    return Host(tmp_path, alertmanager)


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_a_host_that_is_well(
    this_host: Host, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(_Alerts, "alerts", [_alert("Watchdog", "none")])
    done = this_host.status(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        "/: 40% used",
        "failed units  none",
        "ai-core: running",
        "READY",
        "alerts        none fires",
    ):
        assert line in done.stdout
    assert "changed=0" in done.stdout
    assert "ATTENTION" not in done.stdout
    assert len(done.stdout.splitlines()) <= 40


def test_a_host_that_is_not(this_host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Alerts, "alerts", [_alert("HostDiskFull", "critical"), _alert("Watchdog", "none")])
    this_host.program("df", "echo Filesystem; echo /dev/sda1 100 86 14 86% /")
    this_host.program("docker", 'case $1 in inspect) echo "exited";; esac')
    this_host.program("systemctl", "echo nginx.service loaded failed failed")
    done = this_host.status()
    assert done.returncode != 0
    for line in (
        "ATTENTION     a disk is 86 % full",
        "ATTENTION     systemctl status nginx.service",
        "ATTENTION     the container does not run: docker logs ai-core",
        "ALERT         HostDiskFull",
        "here is not well",
    ):
        assert line in done.stdout + done.stderr
    assert "Watchdog" not in done.stdout


def test_an_assistant_that_is_not_well(this_host: Host) -> None:
    this_host.program(
        "docker", 'case $1 in inspect) echo "running";; exec) echo "ATTENTION     3 given up"; exit 1;; esac'
    )
    done = this_host.status()
    assert done.returncode != 0
    assert "3 given up" in done.stdout


def test_an_alertmanager_that_is_away(this_host: Host) -> None:
    this_host.alertmanager = "127.0.0.1:9"
    done = this_host.status()
    assert done.returncode != 0
    assert "Alertmanager does not answer" in done.stdout
