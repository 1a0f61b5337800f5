"""Two assistants as a rollout has them: the stable one, and the candidate in a process of its own."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.integration.app.process import SECRETS, Assistant, until

# Hours of a rollout as fractions of a second, and every pause as short.
QUICK = {
    "share": "0.5",
    "tick_seconds": "0.3",
    "judge_seconds": "0.3",
    "minimum_answers": "6",
    "minimum_ratings": "0",
    # Few answers have wide intervals.
    "success_margin": "0.7",
    "latency_factor": "20",
    "latency_seconds": "20",
    "slow_factor": "20",
    "slow_seconds": "20",
}
SECOND = 1 / 3600


class Pair:
    """The stable assistant, which the people talk to, and the candidate beside it."""

    def __init__(self, directory: Path, stable: Path, candidate: Path, database_url: str = "") -> None:
        common = {"ASSISTANT_TEMPERATURE": "0", "ASSISTANT_MAX_TOKENS": "64", "ASSISTANT_THREADS": "1"}
        self.state_file = directory / "rollout.json"
        for name in ("stable", "candidate"):
            (directory / name).mkdir()
        self.stable = Assistant(
            directory / "stable",
            stable,
            database_url or f"sqlite:///{directory}/stable/assistant.db",
            {**common, "ASSISTANT_ROLLOUT_STATE_FILE": str(self.state_file)},
        )
        self.candidate = Assistant(
            directory / "candidate",
            candidate,
            f"sqlite:///{directory}/candidate/assistant.db",
            {**common, "ASSISTANT_WEB_CHAT_ENABLED": "false"},
        )
        token = directory / "stable" / "secrets" / "candidate_api_token"
        token.write_text(SECRETS["api_token"] + "\n")

    def rollout(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Give the command ``rollout``, as in the stable one's container."""
        return self.stable.command("rollout", *arguments)

    def begin(self, **rules: str) -> None:
        """Start both, and a rollout with ``rules`` beside the quick ones."""
        self.candidate.start(wait=False)
        self.stable.start()
        self.start_rollout(**rules)

    def start_rollout(self, **rules: str) -> None:
        given = [f"--set={name}={value}" for name, value in {**QUICK, **rules}.items()]
        name = Path(self.candidate.environment["MODEL_PATH"]).stem
        done = self.rollout("start", "--candidate", name, "--url", f"{self.candidate.url}/v1", *given)
        assert done.returncode == 0, done.stderr

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.rollout("status", "--json").stdout))

    def shown(self) -> dict[str, Any]:
        """What the host's agent sees."""
        return dict(json.loads(self.state_file.read_text())) if self.state_file.exists() else {}

    def await_state(self, state: str, seconds: float = 60) -> dict[str, Any]:
        """Wait until the host's agent sees ``state``."""
        return until(
            f"the rollout is {state} (now {self.shown()})",
            lambda: shown if (shown := self.shown()).get("state") == state else None,
            seconds,
        )

    def arms(self) -> dict[str, int]:
        """How many answers of chats are by each arm."""
        details = [json.loads(row[0]) for row in self.stable.rows("SELECT detail FROM outbox")]
        names = [detail["arm"] for detail in details if "arm" in detail]
        return {name: names.count(name) for name in ("stable", "candidate")}

    def end(self) -> None:
        for assistant in (self.stable, self.candidate):
            if assistant.process is not None and assistant.process.poll() is None:
                assistant.kill()
