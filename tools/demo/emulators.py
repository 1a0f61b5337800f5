"""Start and stop the emulated Feishu and Telegram services beside a throwaway machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from tools.controller.cache import ROOT
from tools.controller.failure import StageFailure
from tools.controller.venv import VENV
from tools.demo.deployment import FEISHU_PORT, TELEGRAM_PORT, Deployment

_START_SECONDS = 30.0


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_health", timeout=2) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def ensure_emulators(deployment: Deployment) -> None:
    """Start the emulators in the background unless they answer already.

    Raises:
        StageFailure: They did not answer within 30 s.
    """
    urls = [deployment.emulator_url(port) for port in (FEISHU_PORT, TELEGRAM_PORT)]
    if all(_healthy(url) for url in urls):
        return
    stop_emulators(deployment.folder)
    config = deployment.folder / "emulators.json"
    config.touch(mode=0o600)
    config.write_text(json.dumps(deployment.platforms()))
    log = deployment.folder / "emulators.log"
    with log.open("ab") as sink:
        process = subprocess.Popen(  # noqa: S603 - a fixed command line
            [
                str(VENV / "bin" / "python"),
                "-m",
                "tests.emulators",
                "--host",
                deployment.machine.gateway,
                "--feishu-port",
                str(FEISHU_PORT),
                "--telegram-port",
                str(TELEGRAM_PORT),
                "--config",
                str(config),
            ],
            cwd=ROOT,
            stdout=sink,
            stderr=sink,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    (deployment.folder / "emulators.pid").write_text(str(process.pid))
    deadline = time.monotonic() + _START_SECONDS
    while not all(_healthy(url) for url in urls):
        if process.poll() is not None or time.monotonic() > deadline:
            raise StageFailure(
                f"the emulated platforms do not answer at {' and '.join(urls)}",
                f"see {log}; another program may hold the ports {FEISHU_PORT} and {TELEGRAM_PORT}",
            )
        time.sleep(0.3)


def stop_emulators(folder: Path) -> bool:
    """Stop the emulators whose process id is kept in ``folder``; tell whether there were any."""
    pid_file = folder / "emulators.pid"
    if not pid_file.exists():
        return False
    pid = int(pid_file.read_text())
    pid_file.unlink()
    command_line = Path(f"/proc/{pid}/cmdline")
    # The number may belong to another program by now.
    if not command_line.exists() or b"tests.emulators" not in command_line.read_bytes():
        return False
    os.kill(pid, signal.SIGTERM)
    return True
