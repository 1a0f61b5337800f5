"""The machine's side of a rollout: its playbook, its state, and when its candidate is gone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.machines_verify.machine_access import eventually, on_machine, run_as_root
from tests.machines_verify.served_model import INVENTORY, current, play_model
from tests.machines_verify.site_run import SiteRun, run_site
from tools.demo_model.shipped import shipped

PLAYBOOK = "playbooks/rollout.yml"
STATE_FILE = "/var/lib/ai-assistant/rollout.json"
TOKENS = ("/etc/ai-assistant/candidate/api_token", "/etc/ai-assistant/secrets/candidate_api_token")
MODELS = "/data/ai-models"
# Every fault must be over in so many seconds (issue 9).
ROLLBACK_SECONDS = 120.0
# Prints when the newest rollout is rolled back and its container is gone, at the latest after ten minutes.
_WATCH = (
    "for _ in $(seq 2400); do"
    ' grep -q \'"state": "rolled_back"\' {state} && ! grep -q \'"id": {before},\' {state}'
    " && ! docker container inspect ai-candidate >/dev/null 2>&1"
    " && date +%s.%N && exit 0; sleep 0.25; done; exit 1"
)


def play(action: str, *arguments: str, **values: Any) -> SiteRun:
    """Run the playbook's ``action``, with ``values`` in place of the inventory's."""
    asked = json.dumps({"do": action, **values})
    return run_site(INVENTORY, "-e", asked, *arguments, playbook=PLAYBOOK)


def start(model: Path, **values: Any) -> SiteRun:
    """Begin a rollout of the file ``model``, which lies on this host."""
    return play("start", model=str(model), **values)


def rollout() -> dict[str, Any]:
    """Return what the assistant's own command says of the newest rollout."""
    done = run_as_root("docker exec ai-core python3 -m assistant rollout status --json")
    return dict(json.loads(done.stdout)) if done.stdout.startswith("{") else {}


def number() -> int:
    """Return the newest rollout's number; 0 where there never was one."""
    return int(rollout().get("id", 0))


def ended(seconds: float = 600.0) -> str:
    """Wait for the newest rollout's end and return its state."""
    over = ("promoted", "rolled_back", "aborted")
    assert eventually(lambda: rollout().get("state") in over, seconds, pause=2), rollout()
    return str(rollout()["state"])


def cleared(before: int) -> float:
    """Wait until a rollout after ``before`` is rolled back and its container gone; return when."""
    done = run_as_root(_WATCH.format(state=STATE_FILE, before=before))
    assert done.returncode == 0, rollout()
    return float(done.stdout)


def made_at() -> float:
    """Wait for the candidate's container and return when it was there, since 1970."""
    line = "until docker container inspect ai-candidate >/dev/null 2>&1; do sleep 0.1; done; date +%s.%N"
    return float(on_machine(f"timeout 240 bash -c '{line}'"))


def left_behind(model: str = "") -> list[str]:
    """Return what a rollout that is over has left: its container, its tokens, and the file ``model``."""
    paths = [*TOKENS, *([f"{MODELS}/{model}"] if model else [])]
    lines = [f"if [ -e {path} ]; then echo {path}; fi" for path in paths]
    lines.append("docker ps --all --quiet --filter name=ai-candidate")
    return on_machine("; ".join(lines)).split()


def settled(model: str = "") -> list[str]:
    """Return what is left behind once the agent had the time for it."""
    eventually(lambda: not left_behind(model), 20)
    return left_behind(model)


def serve(name: str) -> None:
    """Let a shipped model be the current one, whatever was promoted before."""
    file = f"{name}.gguf"
    if current() != file and on_machine(f'basename "$(readlink {MODELS}/previous.gguf)"').strip() == file:
        done = play_model(rollback="true")
    elif current() != file:
        done = play_model(model_source=str(shipped(name)), model_file=file)
    else:
        return
    assert done.status == 0, done.output[-3000:]


def agent_said(since: float) -> str:
    """Return what the agent wrote into the journal since then."""
    return on_machine(f"journalctl --unit ai-assistant-rollout --since @{int(since)} --output cat --no-pager")


def now() -> float:
    """Return this host's time, which is the machine's: they have one kernel."""
    return time.time()
