"""A service with real processes on this machine: the stable app, a candidate, and what the host does.

On a host with the role ``rollout`` Docker runs the candidate and an agent looks after it. Here the candidate
is a process under a cgroup's memory limit, and ``Host`` does the agent's small part, by the same commands.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.settings import DEFAULT_SYSTEM_PROMPT
from tests.bench.ack.rig import INSIDE_PRIORITY, SETTINGS, platforms, prefer
from tests.bench.lifecycle.memory import Limited, limited
from tests.bench.lifecycle.talks import Place
from tests.integration.app.process import APP, Assistant
from tools.controller.failure import StageFailure
from tools.demo_model.shipped import shipped

TOKEN = "candidate_api_token"
# Answers of the demonstration's model are all by the model here, so that both arms are measured.
STABLE = {**SETTINGS, "ASSISTANT_ANSWER_CACHE_SECONDS": "0", "ASSISTANT_TEMPERATURE": "0"}
CANDIDATE = {
    name: STABLE[name]
    for name in (
        "ASSISTANT_PARALLEL",
        "ASSISTANT_CONTEXT_TOKENS",
        "ASSISTANT_MAX_TOKENS",
        "ASSISTANT_LOG_LEVEL",
        "ASSISTANT_ANSWER_CACHE_SECONDS",
        "ASSISTANT_TEMPERATURE",
    )
} | {
    "ASSISTANT_WEB_CHAT_ENABLED": "false",
    # One of two cores: as a container's limit would.
    "ASSISTANT_THREADS": "1",
    # Otherwise ggml looks for a debugger on this machine, which an image has not, for its last words.
    "GGML_NO_BACKTRACE": "1",
}
MEMORY_BYTES = 1 << 30
LOAD_SECONDS = 120.0
# The agent's rhythm (role rollout).
AGENT_SECONDS = 2.0
ENDED = ("promoted", "rolled_back", "aborted")


@dataclass(frozen=True)
class State:
    """A rollout as its row says; ``since`` in seconds since 1970."""

    number: int
    state: str
    reason: str
    since: float
    key: str
    share: float


class Service:
    """The stable app with both emulated platforms."""

    def __init__(self, folder: Path, place: Place, assistant: Assistant) -> None:
        """See ``service``."""
        self.folder, self.place, self.assistant = folder, place, assistant

    def command(self, *arguments: str) -> str:
        """Run ``python -m assistant rollout`` as an operator or the agent does; returns what it said.

        Raises:
            StageFailure: it refused.
        """
        done = subprocess.run(
            [sys.executable, "-m", "assistant", "rollout", *arguments],
            cwd=APP,
            env=self.assistant.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StageFailure(f"rollout {' '.join(arguments)}: {done.stderr.strip()}", "see the log")
        return done.stdout

    def state(self) -> State:
        """Return how the newest rollout stands."""
        query = "SELECT id, state, reason, since, key, rules FROM rollouts ORDER BY id DESC LIMIT 1"
        number, state, reason, since, key, rules = self.assistant.rows(query)[0]
        found: dict[str, Any] = json.loads(rules) if isinstance(rules, str) else rules
        return State(number, state, reason, since, key, found["share"])

    def entered(self, number: int, state: str) -> float:
        """Return when rollout ``number`` first came into ``state``, in seconds since 1970; 0 for never."""
        query = "SELECT min(created_at) FROM rollout_events"
        rows = self.assistant.rows(f"{query} WHERE rollout_id = {number} AND state = '{state}'")
        return float(rows[0][0] or 0.0)

    def answers(self, number: int) -> dict[str, int]:
        """Return how many answers of rollout ``number`` there are, by arm and outcome."""
        query = "SELECT arm, outcome, count(*) FROM rollout_answers"
        rows = self.assistant.rows(f"{query} WHERE rollout_id = {number} GROUP BY arm, outcome")
        return {f"{arm}_{outcome}": int(count) for arm, outcome, count in rows}

    def wait(self, *states: str, seconds: float) -> State:
        """Return the rollout's state once it is one of ``states``.

        Raises:
            StageFailure: it was not within ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while (found := self.state()).state not in states:
            if time.monotonic() > deadline:
                raise StageFailure(
                    f"the rollout is still {found.state} after {seconds:.0f} s",
                    self.command("status"),
                )
            time.sleep(0.2)
        return found

    def put(self, model: Path) -> None:
        """Make ``model`` the stable one, as the agent does: change the link, start again, wait."""
        link = Path(self.assistant.environment["MODEL_PATH"])
        other = link.with_suffix(".new")
        other.symlink_to(model)
        os.replace(other, link)
        if self.assistant.process is not None:
            self.assistant.stop()
        _start(self.assistant)


@contextmanager
def service(folder: Path, model: str) -> Iterator[Service]:
    """Run the emulated platforms and the stable app with the shipped ``model``.

    Raises:
        StageFailure: a part did not start.
    """
    with ExitStack() as held:
        feishu, telegram = held.enter_context(platforms(folder))
        home = folder / "stable"
        home.mkdir()
        settings = {
            **STABLE,
            "ASSISTANT_SYSTEM_PROMPT": DEFAULT_SYSTEM_PROMPT,
            "ASSISTANT_FEISHU_BASE_URL": feishu,
            "ASSISTANT_TELEGRAM_BASE_URL": telegram,
            "ASSISTANT_ROLLOUT_STATE_FILE": str(home / "rollout.json"),
        }
        link = home / "current.gguf"
        assistant = Assistant(home, link, f"sqlite:///{home}/assistant.db", settings)
        # Its own settings, without what the tests put in between.
        assistant.conf = APP / "gunicorn.conf.py"
        held.callback(lambda: assistant.process is not None and assistant.stop())
        made = Service(folder, Place(assistant.url, telegram, feishu), assistant)
        made.put(shipped(model))
        yield made


class Host:
    """The candidate's process, and the agent's part: it says once how the process ended."""

    def __init__(self, made: Service, assistant: Assistant, limit: Limited) -> None:
        """See ``candidate``."""
        self.assistant, self._service, self._limit = assistant, made, limit
        self.began = time.time()
        # When the kernel first ended a process for want of memory; 0 for never.
        self.killed_at = 0.0
        # The agent has something to do while there is a rollout.
        self.released = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start the process under its limit; returns at once."""
        self.began = time.time()
        self.assistant.start(wait=False)
        assert self.assistant.process is not None
        self._limit.enter(self.assistant.process.pid)
        prefer(self.assistant.process.pid, INSIDE_PRIORITY)
        self._thread.start()

    def stop(self) -> None:
        """End it, if it has not ended."""
        self._stop.set()
        self._thread.join()
        if self.assistant.process is not None and self.assistant.process.poll() is None:
            self.assistant.kill()

    def _run(self) -> None:
        looked = time.monotonic()
        while not self._stop.wait(0.1):
            if not self.killed_at and self._limit.killed:
                self.killed_at = time.time()
            if not self.released.is_set() or time.monotonic() - looked < AGENT_SECONDS:
                continue
            looked = time.monotonic()
            assert self.assistant.process is not None
            if (code := self.assistant.process.poll()) is not None:
                killed = ["--oom-killed"] if self.killed_at else []
                if self._service.state().state not in ENDED:
                    self._service.command("report", "--exited", str(code), *killed)
                return


@contextmanager
def candidate(made: Service, model: Path, *arguments: str) -> Iterator[Host]:
    """Start ``model`` as a candidate and the rollout with it; ``arguments`` are those of ``rollout start``.

    Raises:
        StageFailure: it was refused, or no memory limit can be set.
    """
    number = len(list(made.folder.glob("candidate-*")))
    home = made.folder / f"candidate-{number}"
    home.mkdir()
    assistant = Assistant(
        home,
        model,
        f"sqlite:///{home}/assistant.db",
        {**CANDIDATE, "ASSISTANT_SYSTEM_PROMPT": DEFAULT_SYSTEM_PROMPT},
    )
    assistant.conf = APP / "gunicorn.conf.py"
    token = secrets.token_hex(32)
    (home / "secrets" / "api_token").write_text(token)
    place = made.assistant.directory / "secrets" / TOKEN
    place.write_text(token)
    place.chmod(0o600)
    with limited(f"bench-lifecycle-{number}", MEMORY_BYTES) as limit:
        host = Host(made, assistant, limit)
        try:
            host.start()
            made.command("start", "--candidate", model.stem, "--url", f"{assistant.url}/v1", *arguments)
            host.released.set()
            yield host
        finally:
            host.stop()
            place.unlink()


def _start(assistant: Assistant) -> None:
    assistant.start(wait=False)
    assert assistant.process is not None
    prefer(assistant.process.pid, INSIDE_PRIORITY)
    deadline = time.monotonic() + LOAD_SECONDS
    while not assistant.ready():
        if time.monotonic() > deadline:
            raise StageFailure(f"the stable app is not ready:\n{assistant.log()[-3000:]}", "see its log")
        time.sleep(0.2)
