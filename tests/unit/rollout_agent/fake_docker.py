"""A command ``docker`` that keeps its containers in a JSON file, for the agent's tests."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Runs with any Python; refusals are texts of Docker 20.10 to 28.
PROGRAM = """#!/usr/bin/env python3
import json, os, sys, time
from datetime import datetime, timezone
folder = os.path.dirname(os.path.abspath(__file__))
words = sys.argv[1:]
with open(folder + "/calls", "a") as calls:
    calls.write(json.dumps(words) + "\\n")
with open(folder + "/docker.json") as stream:
    kept = json.load(stream)
def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"
def end(said, code=1):
    print(said, file=sys.stderr)
    sys.exit(code)
if kept.get("away"):
    end("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
name = words[-1] if words[0] != "exec" else words[1]
containers = kept["containers"]
if name not in containers:
    end("Error: No such container: " + name)
container = containers[name]
if words[0] == "inspect":
    print(json.dumps([container]))
    sys.exit()
action = "reload" if words[-1] == "reload" else words[0]
if action in kept.get("refused", []):
    end("Error response from daemon: refused by the test")
if action == "reload" and kept.get("unfit"):
    end("MODEL_PATH: it cannot be served", 3)
if words[0] == "rm":
    del containers[name]
if words[0] in ("start", "restart"):
    container["State"].update(Running=True, ExitCode=0, OOMKilled=False, StartedAt=now())
    container["RestartCount"] = kept.get("restarts", 0)
with open(folder + "/docker.json", "w") as stream:
    json.dump(kept, stream)
if action in kept.get("killed_after", []):
    os.kill(os.getppid(), 9)
"""


def moment(seconds: float) -> str:
    """Return a moment as Docker writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"


class FakeDocker:
    """The command in ``folder``, and what it says and was asked."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "docker"
        self.program.write_text(PROGRAM)
        self.program.chmod(0o755)
        self.pid_file = folder / "docker.pid"
        self.pid_file.touch()
        os.utime(self.pid_file, (time.time() - 3600,) * 2)
        self._file, self._calls = folder / "docker.json", folder / "calls"
        self._calls.touch()
        self.kept: dict[str, Any] = {"containers": {}}
        self.save()

    def save(self) -> None:
        """Write what the command says next."""
        self._file.write_text(json.dumps(self.kept))

    def read(self) -> dict[str, Any]:
        """Take in what the command changed, and return the containers."""
        self.kept = json.loads(self._file.read_text())
        return dict(self.kept["containers"])

    def died(self, name: str, times: int) -> None:
        """Let Docker have started a container so many times more, by itself."""
        self.read()
        self.kept["containers"][name]["RestartCount"] += times
        self.save()

    def put(self, name: str, model: str, *, made: float, running: bool = True, **state: Any) -> None:
        """Put a container there that was made and started so many seconds ago."""
        at = moment(time.time() - made)
        self.kept["containers"][name] = {
            "Created": at,
            "RestartCount": 0,
            "State": {
                "Running": running,
                "Pid": 0,
                "ExitCode": 0,
                "OOMKilled": False,
                "StartedAt": at,
                **state,
            },
            "Config": {"Env": ["PATH=/usr/bin", f"MODEL_PATH=/models/{model}"]},
        }
        self.save()

    def say(self, **values: Any) -> None:
        """Let the command do otherwise: ``away``, ``refused``, ``unfit``, ``restarts``, ``killed_after``."""
        self.read()
        self.kept.update(values)
        self.save()

    def calls(self, *without: str) -> list[list[str]]:
        """Return what the command was asked, but for ``without`` (by the first word), and forget it."""
        lines = [json.loads(line) for line in self._calls.read_text().splitlines()]
        self._calls.write_text("")
        return [words for words in lines if words[0] not in without]

    def told(self) -> list[list[str]]:
        """Return what the app's command line was told, and forget all calls."""
        return [words[5:] for words in self.calls() if words[0] == "exec"]
