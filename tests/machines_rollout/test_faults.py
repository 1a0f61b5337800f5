"""Candidates with a fault: each is rolled back within two minutes, and nobody of the stable arm notices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench.lifecycle import candidates
from tests.machines_rollout import figures, host
from tests.machines_rollout.people import Person, Regulars, build_folder, newcomers, regulars
from tests.machines_verify.machine_access import on_machine
from tests.machines_verify.served_model import answering, current
from tools.demo_model.shipped import shipped

STABLE = "demo-v1"
# A host that others use as well may take long for the trial question; that is not what is looked at here.
PATIENT = {"trial_seconds": 150}


@pytest.fixture(autouse=True)
def stable() -> Iterator[Regulars]:
    """The first demonstration's model answers, and people of the stable arm ask it all the time."""
    host.serve(STABLE)
    with regulars() as found:
        yield found
    figures.count_stable(found.answers, len(found.failures))
    assert found.answers, "nobody asked"
    assert found.failures == []
    assert (current(), answering()) == (f"{STABLE}.gguf", STABLE)
    assert host.settled() == []


def watched(fault: str, act: Callable[[], None], began: Callable[[], float]) -> None:
    """Measure from ``began`` until the rollout that ``act`` has is rolled back and its container gone."""
    before, at, errors = host.number(), list[float](), list[BaseException]()

    def watch() -> None:
        try:
            begun = began()
            at.append(host.cleared(before) - begun)
        except BaseException as error:
            errors.append(error)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    act()
    watcher.join(700)
    assert not errors and at, errors
    figures.record({f"rollback_s_{fault}": round(at[0], 1)})
    assert at[0] <= host.ROLLBACK_SECONDS


def refused(model: Path, word: str) -> None:
    """Begin with a candidate that does not come up: the playbook fails, says why, and leaves nothing."""
    done = host.start(model)
    assert done.status != 0
    assert word in done.said and "the stable model answers everybody" in done.said, done.output[-3000:]
    assert host.left_behind(model.name) == []


def test_one_that_crashes_on_load() -> None:
    model = candidates.make("load", build_folder() / "crashing.gguf")
    watched("load", lambda: refused(model, "ended while it was loaded"), host.made_at)
    assert host.rollout()["reason"] == "load"


def test_one_that_answers_nothing() -> None:
    model = candidates.make("empty", build_folder() / "empty.gguf")
    watched("empty", lambda: refused(model, "empty"), host.made_at)


def test_one_that_runs_out_of_memory() -> None:
    model = candidates.make("oom", build_folder() / "hungry.gguf")
    before = host.number()
    # Everybody who is new is the candidate's.
    done = host.start(model, rollout_share=1.0, rollout_settings=PATIENT)
    assert done.status == 0, done.output[-3000:]
    person = Person()
    assert str(person.ask("How do I back it up?")["text"]).strip()
    begun = host.now()
    # The second question takes all its memory; the person is answered all the same.
    assert str(person.ask("Which ports are open?")["text"]).strip()
    seconds = host.cleared(before) - begun
    figures.record({"rollback_s_oom": round(seconds, 1)})
    assert seconds <= host.ROLLBACK_SECONDS
    assert host.rollout()["reason"] == "oom"
    assert "memory was used up" in host.agent_said(begun)


def test_one_that_is_slow() -> None:
    before = host.number()
    done = host.start(shipped("demo-v2"), rollout_share=0.5, rollout_settings=PATIENT)
    assert done.status == 0, done.output[-3000:]
    with newcomers(rate=False) as wrong:
        begun = host.now()
        on_machine("docker update --cpus 0.02 ai-candidate")
        seconds = host.cleared(before) - begun
    figures.record({"rollback_s_slow": round(seconds, 1)})
    assert seconds <= host.ROLLBACK_SECONDS
    assert wrong == [], "those whom the candidate kept waiting are answered as well"
    figures.record({"slow_reason": str(host.rollout()["reason"])})
