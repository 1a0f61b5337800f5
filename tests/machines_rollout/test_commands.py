"""What an operator does with a rollout: looks, pauses, goes on, ends it; and a reboot in the middle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machines_rollout import figures, host
from tests.machines_rollout.people import build_folder
from tests.machines_verify.machine_access import eventually, on_machine
from tests.machines_verify.reboot import reboot
from tests.machines_verify.served_model import answering, current, tiny_model
from tools.demo_model.shipped import shipped

OLD, NEW = "demo-v1", "demo-v2"
_HALF = "import sqlite3; d = sqlite3.connect('/var/lib/ai-assistant/assistant.db');"
_HALF += (
    " d.execute('UPDATE rollouts SET elapsed = 43200 WHERE id = (SELECT max(id) FROM rollouts)'); d.commit()"
)


@pytest.fixture(scope="module", autouse=True)
def running() -> Iterator[None]:
    """A rollout of the second demonstration's model over the first, with the usual 24 hours."""
    host.serve(OLD)
    done = host.start(shipped(NEW), rollout_share=0.5, rollout_settings={"trial_seconds": 150})
    assert done.status == 0, done.output[-3000:]
    yield
    host.play("abort")


def test_it_is_shown_and_check_mode_changes_nothing() -> None:
    shown = host.play("status")
    assert (shown.status, shown.changed) == (0, 0), shown.output[-3000:]
    assert NEW in shown.said and "running" in shown.said and "lacking" in shown.said
    for action in ("pause", "abort"):
        checked = host.play(action, "--check")
        assert checked.status == 0, checked.output[-3000:]
    assert host.rollout()["state"] == "running"


def test_pause_and_resume() -> None:
    assert host.play("pause").status == 0
    stood = host.rollout()["elapsed_seconds"]
    assert host.rollout()["state"] == "paused"
    twice = host.play("pause")
    assert twice.status != 0 and "only one that is running can be paused" in twice.said
    assert host.rollout()["elapsed_seconds"] == stood
    assert host.play("resume").status == 0
    assert host.rollout()["state"] == "running"


def test_a_promotion_without_numbers_is_refused() -> None:
    done = host.play("promote")
    assert done.status != 0 and "not promoted" in done.said, done.output[-3000:]
    assert current() == f"{OLD}.gguf"


def test_what_does_not_fit_or_is_current_is_refused() -> None:
    done = host.start(shipped(OLD))
    assert done.status != 0 and "current model" in done.said, done.output[-3000:]
    tiny = tiny_model(build_folder() / "tiny.gguf", 7)
    done = host.start(tiny, rollout_reserve_mb=10_000_000)
    assert done.status != 0, done.output[-3000:]
    for word in ("rollout_reserve_mb", "assistant_memory_limit", "MiB", "main.yml"):
        assert word in done.said, done.output[-3000:]
    on_machine("test ! -e /data/ai-models/tiny.gguf")
    assert host.rollout()["state"] == "running", "the one that is under way was not touched"


def test_a_reboot_at_hour_12_loses_nothing() -> None:
    on_machine(f'docker exec ai-core python3 -c "{_HALF}"')
    before = host.rollout()
    at = host.now()
    reboot()
    assert eventually(lambda: host.rollout().get("state") == "running", 120)
    back = "docker inspect --format '{{.State.Running}}' ai-candidate"
    assert eventually(lambda: on_machine(back).strip() == "true", 120)
    assert eventually(lambda: host.rollout()["elapsed_seconds"] > before["elapsed_seconds"], 60)
    after, passed = host.rollout(), host.now() - at
    figures.record(
        {
            "clock_before_reboot_s": round(before["elapsed_seconds"], 1),
            "clock_after_reboot_s": round(after["elapsed_seconds"], 1),
            "seconds_between": round(passed, 1),
        }
    )
    assert before["elapsed_seconds"] >= 43200
    assert after["id"] == before["id"]
    assert eventually(lambda: host.rollout()["state"] == "running" and answering() == OLD, 60)
    assert not eventually(lambda: host.rollout()["state"] != "running", 45, pause=5), host.rollout()


def test_promoted_all_the_same_and_back() -> None:
    done = host.play("promote", promote_now=True)
    assert done.status == 0 and f"model_file: {NEW}.gguf" in done.said, done.output[-3000:]
    assert (current(), answering()) == (f"{NEW}.gguf", NEW)
    assert host.settled() == []
    host.serve(OLD)
    assert (current(), answering()) == (f"{OLD}.gguf", OLD)
