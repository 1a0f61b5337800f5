"""The keeper: loading, judging, telling, and what the host's agent reads."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.inference.backend import InferenceError, Options
from assistant.metrics.labels import CANDIDATE, STABLE
from assistant.rollout.arms import Arms
from assistant.rollout.candidate import Candidate
from assistant.rollout.health import Probe, read_figures
from assistant.rollout.keeper import LEASE_SECONDS, TRIES, Keeper
from assistant.rollout.rules import Rules, make_rules
from assistant.store.rollout_answers import Made, RolloutAnswers
from assistant.store.rollouts import Rollout, Rollouts, step
from tests.unit.app.conftest import Store
from tests.unit.app.test_rollout_arms import Model

HOUR = 3600.0


class Process:
    """The candidate's process, as its two pages show it."""

    def __init__(self) -> None:
        self.up = True
        self.ready = True
        self.figures: dict[str, float] = {
            "assistant_memory_bytes": 50.0,
            "assistant_memory_limit_bytes": 100.0,
            "process_start_time_seconds": 5.0,
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if not self.up:
            raise httpx.ConnectError("refused")
        if request.url.path == "/readyz":
            return httpx.Response(200 if self.ready else 503)
        assert request.url.path == "/metrics"
        lines = ['assistant_memory_bytes_of{x="y"} 3', *(f"{n} {v}" for n, v in self.figures.items())]
        return httpx.Response(200 if self.figures else 500, text="\n".join(lines))


class House:
    """One process of the stable model: its keeper, whose clock is the store's."""

    def __init__(self, store: Store, process: Process, model: Model, folder: Path) -> None:
        self.store, self.model, self.folder = store, model, folder
        self.said: list[tuple[str, str, str]] = []
        self.rollouts, self.answers = Rollouts(store.database), RolloutAnswers(store.database)
        self.candidate = Candidate(lambda url: model, 4)
        self.keeper = Keeper(
            self.rollouts,
            self.answers,
            Arms(self.answers, self.candidate),
            system_prompt="sys",
            options=Options(64, 0.0, 60.0),
            state_file=str(folder / "rollout.json"),
            announce=lambda *words: self.said.append(words),
            probe=lambda url: Probe(url, httpx.MockTransport(process), clock=lambda: store.clock.now),
            clock=lambda: store.clock.now,
        )

    def begin(self, **rules: Any) -> None:
        chosen = make_rules(rules)
        self.rollouts.start(
            candidate="new",
            stable="old",
            url="http://candidate:8000/v1",
            key="0" * 64,
            rules=chosen.as_dict(),
            steps=(step("aborted", "replaced", "e", "c"), step("loading", "started", "e", "c")),
        )

    def pass_time(self, seconds: float, every: float = 5.0) -> None:
        left = seconds
        while left > 0:
            self.store.clock.now += min(every, left)
            left -= every
            self.keeper.step()

    @property
    def newest(self) -> Rollout:
        newest = self.rollouts.newest()
        assert newest is not None
        return newest

    @property
    def state(self) -> tuple[str, str]:
        return self.newest.state, self.newest.reason

    def shown(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "rollout.json").read_text()))

    def have_answered(self, count: int, arm: str, outcome: str = "ok", seconds: float = 1.0) -> None:
        for number in range(count):
            self.answers.add(Made(self.newest.number, number, arm, outcome, seconds))


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def model() -> Model:
    return Model("Good day!")


@pytest.fixture
def house(store: Store, process: Process, model: Model, tmp_path: Path) -> House:
    return House(store, process, model, tmp_path)


@pytest.fixture
def other(store: Store, process: Process, model: Model, tmp_path: Path) -> House:
    """Another process on the same database."""
    folder = tmp_path / "other"
    folder.mkdir()
    return House(store, process, model, folder)


def test_a_candidate_that_loads_and_answers_runs(house: House, process: Process, model: Model) -> None:
    house.begin()
    process.ready = model.ready = False
    house.pass_time(60)
    assert house.state == ("loading", "started")
    process.ready = model.ready = True
    house.pass_time(20)
    assert house.state == ("running", "loaded")
    assert model.seen[0][1].deadline_seconds == Rules().trial_seconds
    assert house.shown()["state"] == "running"
    assert [key for _, _, key in house.said] == ["rollout-1-1", "rollout-1-2"]
    assert "new" in house.said[0][0]


@pytest.mark.parametrize(
    ("trial", "reason"),
    [("", "empty"), (InferenceError("x"), "load")],
)
def test_a_trial_that_fails_rolls_back(
    house: House, model: Model, trial: str | Exception, reason: str
) -> None:
    model.results = [trial] * TRIES
    house.begin()
    house.pass_time(60)
    assert house.state == ("rolled_back", reason)
    assert model.stopped


def test_a_candidate_that_never_loads_rolls_back_after_its_time(house: House, process: Process) -> None:
    process.up = False
    house.begin(load_seconds=120)
    house.pass_time(100, every=20)
    assert house.state == ("loading", "started")
    house.pass_time(60)
    assert house.state == ("rolled_back", "load")


def running(house: House, **rules: Any) -> None:
    house.begin(**rules)
    house.pass_time(10)
    assert house.state == ("running", "loaded")


def test_the_clock_counts_what_ran_and_no_pause_and_no_long_gap(house: House) -> None:
    running(house)
    begun = house.newest.elapsed
    house.pass_time(100)
    assert house.newest.elapsed - begun == pytest.approx(100, abs=10)
    assert house.rollouts.move(1, step("paused", "x", "", ""))
    paused = house.newest.elapsed
    house.pass_time(500, every=100)
    assert house.newest.elapsed == paused
    assert house.rollouts.move(1, step("running", "x", "", ""))
    house.pass_time(10)
    assert house.newest.elapsed <= paused + 10
    # A restart of ten minutes counts, a longer one does not.
    before = house.newest.elapsed
    house.pass_time(590, every=590)
    assert house.newest.elapsed == pytest.approx(before + 590, abs=10)
    before = house.newest.elapsed
    house.pass_time(7200, every=7200)
    assert house.newest.elapsed == before


@pytest.mark.parametrize(
    ("fault", "reason", "within"),
    [
        ({"up": False}, "unreachable", 50),
        ({"ready": False}, "unreachable", 50),
        ({"figures": {}}, "no_metrics", 80),
    ],
)
def test_a_candidate_that_is_lost_is_rolled_back_within_two_minutes(
    house: House, process: Process, fault: dict[str, Any], reason: str, within: float
) -> None:
    running(house)
    house.pass_time(30)
    for name, value in fault.items():
        setattr(process, name, value)
    house.pass_time(10)
    assert house.state[0] == "running"
    house.pass_time(within)
    assert house.state == ("rolled_back", reason)
    assert house.shown()["reason"] == reason


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("assistant_memory_bytes", 96.0, "memory"), ("process_start_time_seconds", 900.0, "restarted")],
)
def test_memory_and_a_process_that_began_anew(
    house: House, process: Process, name: str, value: float, reason: str
) -> None:
    running(house)
    process.figures[name] = value
    house.pass_time(15)
    assert house.state == ("rolled_back", reason)


def test_after_a_reboot_the_candidate_has_time_to_load_again(
    house: House, store: Store, process: Process, model: Model, tmp_path: Path
) -> None:
    running(house)
    process.up = False
    process.figures["process_start_time_seconds"] = 900.0
    store.clock.now += LEASE_SECONDS + 1
    again = House(store, process, model, tmp_path)
    again.pass_time(300, every=50)
    assert again.state == ("running", "loaded")
    process.up = True
    again.pass_time(60)
    assert again.state == ("running", "loaded")
    process.up = False
    again.pass_time(60)
    assert again.state == ("rolled_back", "unreachable")


def test_bad_answers_roll_back_at_the_next_tick(house: House) -> None:
    running(house)
    house.have_answered(3, CANDIDATE, "empty")
    house.pass_time(15)
    assert house.state == ("rolled_back", "empty")
    # The rollback was told and is not told again.
    said = len(house.said)
    house.pass_time(30)
    assert len(house.said) == said == 3


def test_it_extends_hour_by_hour_says_each_reason_once_and_promotes_when_proven(house: House) -> None:
    running(house, hours=0.1, extend_hours=0.1, minimum_ratings=0, minimum_answers=5, success_margin=0.6)
    house.have_answered(6, STABLE)
    house.pass_time(0.1 * HOUR + 90, every=60)
    assert house.state == ("running", "few_answers")
    assert house.newest.due_hours == pytest.approx(0.2)
    house.pass_time(0.2 * HOUR, every=60)
    assert house.state == ("running", "few_answers")
    assert house.newest.due_hours == pytest.approx(0.4)
    assert len(house.said) == 3
    house.have_answered(6, CANDIDATE)
    house.pass_time(0.1 * HOUR, every=60)
    assert house.state == ("promoting", "good")
    assert house.rollouts.move(1, step("promoted", "confirmed", "", ""))
    house.pass_time(5)
    assert house.shown()["state"] == "promoted"


def test_without_any_answer_it_ends_as_inconclusive(house: House) -> None:
    running(house, hours=0.1, extend_hours=0.1, max_hours=0.3)
    house.pass_time(0.4 * HOUR, every=60)
    assert house.state == ("rolled_back", "inconclusive")


def test_a_promotion_that_hangs_is_said_once_and_not_undone(house: House) -> None:
    running(house, promotion_seconds=60)
    assert house.rollouts.move(1, step("promoting", "good", "", ""))
    house.pass_time(120, every=20)
    assert house.state == ("promoting", "promotion_hangs")
    assert len(house.said) == 4


def test_one_of_two_processes_keeps_and_both_follow(house: House, other: House, store: Store) -> None:
    running(house)
    for _ in range(10):
        store.clock.now += 5
        other.keeper.step()
        house.keeper.step()
    assert other.said == []
    assert other.keeper.newest is not None
    assert other.keeper.newest.state == "running"
    assert house.newest.elapsed == pytest.approx(50, abs=11)
    # The keeper is gone: after its lease the other one goes on with the clock.
    other.pass_time(50)
    assert house.newest.elapsed == pytest.approx(100, abs=11)


def test_who_takes_over_judges_by_what_it_has_seen_itself(
    house: House, other: House, store: Store, process: Process
) -> None:
    running(house, load_seconds=60)
    # Twice: the second to take over has looked at the candidate before, long ago.
    for keeps, follows in ((house, other), (other, house)):
        for _ in range(40):
            store.clock.now += 5
            keeps.keeper.step()
            follows.keeper.step()
        # The first that it sees of the candidate is a moment's absence.
        process.up = False
        follows.pass_time(20)
        process.up = True
        follows.pass_time(60)
        assert house.state == ("running", "loaded")
    process.up = False
    house.pass_time(50)
    assert house.state == ("rolled_back", "unreachable")


def test_a_token_that_cannot_be_read_leaves_all_to_stable(
    store: Store, process: Process, tmp_path: Path
) -> None:
    def no_token(url: str) -> Model:
        raise FileNotFoundError

    house = House(store, process, Model(), tmp_path)
    house.keeper._arms.candidate = Candidate(no_token, 4)
    house.begin(load_seconds=60)
    house.pass_time(90)
    assert house.state == ("rolled_back", "load")


def test_a_state_file_that_cannot_be_written_is_an_error_in_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    (house.folder / "rollout.json").mkdir()
    house.begin()
    house.pass_time(5)
    assert "ASSISTANT_ROLLOUT_STATE_FILE" in caplog.text
    assert [path.name for path in house.folder.iterdir() if path.name.startswith(".")] == []


def test_metrics_are_read_without_labels_and_without_nonsense() -> None:
    text = 'assistant_memory_bytes{x="y"} 1\nassistant_memory_bytes 2.5e3\nprocess_start_time_seconds x\n'
    assert read_figures(text) == {"assistant_memory_bytes": 2500.0}
