"""The better model takes the other's place by its numbers, the worse one does not; time is compressed."""

from __future__ import annotations

import json

import pytest

from tests.machines_rollout import figures, host
from tests.machines_rollout.people import newcomers, regulars
from tests.machines_verify.machine_access import eventually, on_machine
from tests.machines_verify.served_model import INVENTORY, answering, current, play_model
from tests.machines_verify.site_run import run_site
from tools.demo_model.shipped import shipped

# 24 hours are two minutes. So few answers prove little of the success: its margin is wide. Both models' p99
# on a busy host is mostly chance. The ratings' margin is the default: v1 is worse by some 20 points.
COMPRESSED = {
    "rollout_share": 0.5,
    "rollout_hours": 0.03,
    "rollout_max_hours": 0.2,
    "rollout_minimum_answers": 10,
    "rollout_minimum_ratings": 8,
    "rollout_settings": {
        "trial_seconds": 150,
        "extend_hours": 0.01,
        "judge_seconds": 5,
        "tick_seconds": 2,
        "success_margin": 0.3,
        "latency_factor": 5,
        "latency_seconds": 5,
        "slow_factor": 20,
        "slow_seconds": 20,
    },
}
OLD, NEW = "demo-v1", "demo-v2"


def arms(prefix: str) -> dict[str, int]:
    """Return both arms' answers and ratings as figures."""
    found = host.rollout()["arms"]
    return {
        f"{prefix}_{arm}_{name}": int(values[name])
        for arm, values in found.items()
        for name in ("answers", "ratings", "good_ratings")
    }


def test_the_better_one_is_promoted() -> None:
    host.serve(OLD)
    with regulars() as stable:
        done = host.start(shipped(NEW), **COMPRESSED)
        assert done.status == 0, done.output[-3000:]
        again = host.start(shipped(NEW), **COMPRESSED)
        assert (again.status, again.changed) == (0, 0), again.output[-3000:]
        with newcomers() as wrong:
            state = host.ended()
    figures.record({"promoted_v2": state == "promoted", **arms("promotion")})
    assert state == "promoted", host.rollout()
    figures.record({"turned_away_at_the_swap": len(wrong) + len(stable.failures)})
    assert (wrong, stable.failures) == ([], []), "who asks at the swap waits, and is not turned away"
    assert current() == f"{NEW}.gguf"
    assert eventually(lambda: answering() == NEW, 60)
    assert host.settled() == []


def test_the_next_run_does_not_silently_go_back() -> None:
    names = {"model_source": str(shipped(OLD)), "model_file": f"{OLD}.gguf"}
    run = run_site(INVENTORY, "--tags", "model", "-e", json.dumps(names))
    assert run.status != 0 and run.changed <= 0, run.output[-3000:]
    for word in (f"model_file: {NEW}.gguf", "rollback=true", "main.yml"):
        assert word in run.said, run.output[-3000:]
    assert current() == f"{NEW}.gguf"


def test_going_back_by_hand() -> None:
    back = play_model(rollback="true")
    assert back.status == 0, back.output[-3000:]
    assert (current(), answering()) == (f"{OLD}.gguf", OLD)
    on_machine("test ! -e /data/ai-models/.promoted.json")


@pytest.mark.slow
def test_the_worse_one_is_not_promoted() -> None:
    host.serve(NEW)
    with regulars() as stable:
        done = host.start(shipped(OLD), **{**COMPRESSED, "rollout_max_hours": 0.07})
        assert done.status == 0, done.output[-3000:]
        with newcomers() as wrong:
            state = host.ended(900)
    figures.record({"promoted_v1": state == "promoted", **arms("worse")})
    figures.count_stable(stable.answers, len(stable.failures))
    assert state == "rolled_back", host.rollout()
    assert stable.failures == [] and wrong == []
    assert (current(), answering()) == (f"{NEW}.gguf", NEW)
    assert host.settled() == []
