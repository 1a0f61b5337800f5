"""The relay and Alertmanager as processes that tests start, kill and look into.

The relay runs with the distribution's own Python, gunicorn, Flask and httpx, as on a server.
"""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx

from tests.integration.app.process import ROOT, until

HOOK_TOKEN = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
HOOK_SECRET = "feishu-hook-secret-0123456789"
# RELAY_BIN names another folder with gunicorn and python3, to try older libraries.
BIN = os.environ.get("RELAY_BIN", "/usr/bin")
BOT_TOKEN = "123456789:AAE-abcdefghijklmnopqrstuvwxyz01234"
CHAT_ID = "-1001234567890"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A program that listens on a port of its own."""

    def __init__(self, directory: Path, name: str, health: str) -> None:
        self.directory = directory
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = directory / f"{name}.log"
        self._health = health
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"]}

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.directory,
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(f"{self.name} answers", self.ready)

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended:\n{self.log()}"
        try:
            return self.get(self._health).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """kill -9 for the whole process group."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(40)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", trust_env=False, timeout=30)

    def post(self, path: str, document: object) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=document, trust_env=False, timeout=30)


class Relay(Process):
    """One relay with its outbox, posting to the emulated platforms."""

    def __init__(self, directory: Path, feishu: str, telegram: str, **settings: Any) -> None:
        super().__init__(directory, "relay", "/healthz")
        self.config = directory / "config.json"
        document = {
            "database": str(directory / "relay.db"),
            "chats": [
                {
                    "channel": "feishu",
                    "name": "feishu",
                    "webhook": f"{feishu}/open-apis/bot/v2/hook/{HOOK_TOKEN}",
                    "secret": HOOK_SECRET,
                },
                {
                    "channel": "telegram",
                    "name": "telegram",
                    "bot_token": BOT_TOKEN,
                    "chat_id": CHAT_ID,
                    "base_url": telegram,
                },
            ],
            **settings,
        }
        self.config.write_text(json.dumps(document))

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "ALERT_RELAY_CONFIG": str(self.config),
            "PYTHONPATH": str(ROOT / "app"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TZ": "UTC",
        }

    def command(self) -> list[str]:
        # As in roles/alert_relay/templates/alert-relay.service.j2.
        bind = f"--bind=127.0.0.1:{self.port}"
        return [f"{BIN}/gunicorn", "--workers=1", "--threads=4", bind, "alert_relay.wsgi:create()"]

    def run(self, what: str) -> subprocess.CompletedProcess[str]:
        """Run ``python3 -m alert_relay``."""
        return subprocess.run(
            [f"{BIN}/python3", "-m", "alert_relay", what],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def metric(self, sample: str) -> float:
        """Return the value of a sample, named with its labels as in the text format."""
        for line in self.get("/metrics").text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        raise AssertionError(f"no sample {sample} in:\n{self.get('/metrics').text}")

    def drained(self) -> bool:
        return all(
            self.metric(f'alert_relay_waiting{{channel="{name}"}}') == 0 for name in ("feishu", "telegram")
        )


class Alertmanager(Process):
    """The distribution's Alertmanager with a configuration file."""

    def __init__(self, directory: Path, config: Path) -> None:
        super().__init__(directory, "alertmanager", "/-/ready")
        self.config = config

    def command(self) -> list[str]:
        return [
            "/usr/bin/prometheus-alertmanager",
            f"--config.file={self.config}",
            f"--storage.path={self.directory}/alertmanager",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]

    def amtool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["/usr/bin/amtool", f"--alertmanager.url={self.url}", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
