from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rollout_agent.agent import Agent
from rollout_agent.config import Config
from rollout_agent.engine import Engine
from tests.unit.rollout_agent.fake_docker import FakeDocker


@dataclass
class Host:
    """A host with the agent's folders, a Docker that is none, and an agent that is asked to look."""

    folder: Path
    docker: FakeDocker
    config: Config
    ready: bool = True
    number: str = "7"
    asked: list[str] = field(default_factory=list)

    def agent(self, sleep: Callable[[float], None] = lambda _: None) -> Agent:
        """Start an agent, as after a kill: it remembers nothing."""
        engine = Engine(str(self.docker.program), self.docker.pid_file)
        return Agent(self.config, engine, self._answers, sleep)

    def _answers(self, url: str) -> bool:
        self.asked.append(url)
        return self.ready

    def say(self, state: str, candidate: str = "new.gguf", since: float | str | None = None) -> None:
        """Let the app be in this state."""
        values = {"id": self.number, "state": state, "candidate": candidate, "since": since or time.time()}
        fresh = self.config.state_file.with_suffix(".new")
        fresh.write_text(json.dumps(values))
        fresh.rename(self.config.state_file)

    def write_tokens(self) -> None:
        """Write the candidate's token where the role writes it."""
        for path in self.config.tokens:
            path.parent.mkdir(exist_ok=True)
            path.write_text("token")

    def links(self) -> dict[str, str]:
        """Return where the links lead."""
        folder = self.config.models
        return {path.name: str(path.readlink()) for path in folder.iterdir() if path.is_symlink()}

    @property
    def note(self) -> Path:
        """The note of a promotion."""
        return self.config.models / ".promoted.json"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host on which old.gguf is current, and a candidate with new.gguf runs."""
    for name in ("records", "models", "docker", "app"):
        (tmp_path / name).mkdir()
    for name in ("old.gguf", "older.gguf", "new.gguf"):
        (tmp_path / "models" / name).write_text(name)
    (tmp_path / "models/current.gguf").symlink_to("old.gguf")
    (tmp_path / "models/previous.gguf").symlink_to("older.gguf")
    docker = FakeDocker(tmp_path / "docker")
    docker.put("ai-core", "current.gguf", made=600)
    docker.put("ai-candidate", "new.gguf", made=600)
    config = Config(
        state_file=tmp_path / "app/rollout.json",
        records=tmp_path / "records",
        models=tmp_path / "models",
        stable="ai-core",
        candidate="ai-candidate",
        tokens=(tmp_path / "secrets/candidate_api_token", tmp_path / "candidate/api_token"),
        ready_url="http://127.0.0.1:1/readyz",
        ready_seconds=60,
    )
    made = Host(tmp_path, docker, config)
    made.write_tokens()
    return made
