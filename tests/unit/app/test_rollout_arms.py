"""A message's way during a rollout: which arm, what happens when the candidate fails, what is counted."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from assistant.inference.backend import (
    NOBODY,
    Caller,
    Completion,
    InferenceError,
    Options,
    Outage,
    RequestError,
    Stopping,
)
from assistant.messages import Incoming, Turn
from assistant.metrics.labels import CANDIDATE, STABLE
from assistant.progress import Progress
from assistant.rollout.arms import Arms
from assistant.rollout.candidate import Candidate
from assistant.rollout.reasons import LOADED, STARTED, commanded
from assistant.rollout.rules import make_rules
from assistant.rollout.share import is_candidates, name_of_chat
from assistant.store.models import OutboxRow, RolloutAnswer
from assistant.store.ratings import Ratings
from assistant.store.rollout_answers import RolloutAnswers
from assistant.store.rollout_states import ABORTED, LOADING, PAUSED, ROLLED_BACK, RUNNING
from assistant.store.rollouts import Rollouts, step
from assistant.worker import Worker
from tests.integration.app.process import until
from tests.unit.app.conftest import Store
from tests.unit.app.test_worker_and_sender import Backend, worker
from tests.unit.app.test_worker_and_sender import step as answer_one

KEY = "0" * 64
REST = 1800.0


class Model(Backend):
    """A candidate that says what it is told to; ``hold`` keeps it from answering."""

    def __init__(self, *results: str | Exception) -> None:
        super().__init__(*results)
        self.hold = threading.Event()
        self.hold.set()
        self.entered = 0
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True
        self.hold.set()

    def generate(self, turns: Sequence[Turn], options: Options, caller: Caller = NOBODY) -> Completion:
        self.entered += 1
        self.hold.wait(30)
        if self.stopped:
            raise Stopping
        return super().generate(turns, options, caller)


class Scene:
    """A rollout that runs, and a worker that heeds it."""

    def __init__(self, store: Store, share: float = 1.0, **rules: Any) -> None:
        self.store = store
        self.rollouts, self.answers = Rollouts(store.database), RolloutAnswers(store.database)
        self.stable, self.model = Backend(), Model()
        self.candidate = Candidate(lambda url: self.model, 4)
        self.arms = Arms(self.answers, self.candidate)
        self.progress = Progress()
        self.worker: Worker = worker(
            store, self.stable, self.progress, arms=self.arms, rollout_answers=self.answers
        )
        self.rules = make_rules({"share": share, **rules})
        self.number = self.rollouts.start(
            candidate="new",
            stable="old",
            url="http://candidate/v1",
            key=KEY,
            rules=self.rules.as_dict(),
            steps=(
                step(ABORTED, "replaced", "", ""),
                step(LOADING, STARTED.code, STARTED.english, STARTED.chinese),
            ),
        )
        self.move(RUNNING)

    def move(self, state: str) -> None:
        reason = LOADED if state == RUNNING else commanded(state)
        assert self.rollouts.move(self.number, step(state, reason.code, reason.english, reason.chinese))
        self.follow()

    def follow(self) -> None:
        newest = self.rollouts.newest()
        assert newest is not None
        if newest.active:
            self.candidate.open(newest.number, newest.url, self.rules.share)
        else:
            self.candidate.close()
        self.arms.follow(newest)

    def ask(self, chat: str = "c", text: str = "q", platform: str = "feishu", **more: Any) -> None:
        self.count = getattr(self, "count", 0) + 1
        self.store.inbox.accept(Incoming(platform, f"m{self.count}", chat, text, **more))
        assert answer_one(self.worker)

    def say(self, backend: Backend, *results: str | Exception) -> None:
        backend.results.extend(results)

    def replies(self) -> list[tuple[str, str]]:
        with self.store.database.read() as session:
            rows = session.execute(select(OutboxRow.text, OutboxRow.detail).order_by(OutboxRow.id)).all()
        return [(text, detail.get("arm", "")) for text, detail in rows]

    def made(self) -> list[tuple[str, str, int]]:
        with self.store.database.read() as session:
            rows = session.execute(
                select(RolloutAnswer.arm, RolloutAnswer.outcome, RolloutAnswer.counted).order_by(
                    RolloutAnswer.id
                )
            )
            return [(arm, outcome, counted) for arm, outcome, counted in rows]

    def metric(self, name: str, **labels: str) -> float:
        return self.worker._metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def scene(store: Store) -> Scene:
    return Scene(store)


def chats(share: float, candidates: bool) -> list[str]:
    """Chats that chance gives to the candidate, or not."""
    found = (f"chat{n}" for n in range(1000))
    return [c for c in found if is_candidates(KEY, name_of_chat("feishu", c), share) == candidates]


def test_the_candidate_answers_its_share_and_both_are_counted(store: Store) -> None:
    scene = Scene(store, share=0.5)
    scene.say(scene.model, "by the new one")
    scene.say(scene.stable, "by the old one")
    scene.ask(chats(0.5, candidates=True)[0])
    scene.ask(chats(0.5, candidates=False)[0])
    assert scene.replies() == [("by the new one", CANDIDATE), ("by the old one", STABLE)]
    assert scene.made() == [(CANDIDATE, "ok", 1), (STABLE, "ok", 1)]
    for arm in (CANDIDATE, STABLE):
        assert scene.metric("assistant_messages_total", channel="feishu", outcome="answered", arm=arm) == 1
        assert scene.metric("assistant_generation_seconds_count", arm=arm) == 1
        assert scene.metric("assistant_tokens_total", kind="completion", arm=arm) == 2
    figures = scene.answers.figures(scene.number, CANDIDATE)
    assert (figures.ok, figures.p50 is not None) == (1, True)


def test_a_rating_is_the_arms_that_made_the_answer(scene: Scene) -> None:
    scene.say(scene.model, "x")
    scene.ask()
    assert Ratings(scene.store.database).rate("feishu", "c", 1, -1, "ou_1") == CANDIDATE
    assert Ratings(scene.store.database).rate("feishu", "elsewhere", 1, -1, "ou_1") == ""
    figures = scene.answers.figures(scene.number, CANDIDATE)
    assert (figures.ratings, figures.good_ratings) == (1, 0)


def test_a_dialogue_that_went_on_before_stays_with_stable_until_it_has_rested(store: Store) -> None:
    scene = Scene(store)
    scene.move(PAUSED)
    scene.say(scene.stable, "before")
    scene.ask()
    # As if the rollout had begun after that answer.
    store.clock.now += 60
    scene.rollouts.move(scene.number, step(ABORTED, "x", "", ""))
    scene = Scene(store)
    scene.count = 1
    store.clock.now += 60
    scene.say(scene.stable, "still stable")
    scene.ask()
    assert scene.made()[-1] == (STABLE, "ok", 0), "it was not chance that chose"
    store.clock.now += REST + 1
    scene.say(scene.model, "rested")
    scene.ask()
    assert scene.replies()[-1] == ("rested", CANDIDATE)


def test_a_dialogue_keeps_its_arm_through_a_pause_and_new_ones_are_stables(scene: Scene) -> None:
    scene.say(scene.model, "one", "two")
    scene.ask()
    scene.move(PAUSED)
    scene.ask()
    scene.say(scene.stable, "other")
    scene.ask("another chat")
    assert scene.replies() == [("one", CANDIDATE), ("two", CANDIDATE), ("other", STABLE)]
    assert [counted for _, _, counted in scene.made()] == [1, 0, 0]


def test_after_a_rollback_all_is_stables_at_once_and_nothing_is_written_down(scene: Scene) -> None:
    scene.say(scene.model, "one")
    scene.ask()
    scene.move(ROLLED_BACK)
    assert scene.model.stopped
    scene.say(scene.stable, "two")
    scene.ask()
    assert scene.replies() == [("one", CANDIDATE), ("two", STABLE)]
    assert len(scene.made()) == 1


@pytest.mark.parametrize(
    ("failure", "outcome", "engine"),
    [
        (InferenceError("x"), "error", 1),
        (Outage("x"), "error", 1),
        (RequestError("x"), "error", 1),
        ("  \n", "empty", 0),
    ],
)
def test_where_the_candidate_fails_stable_answers_in_the_same_try(
    scene: Scene, failure: str | Exception, outcome: str, engine: int
) -> None:
    scene.model.says = ["words that are taken back"]
    scene.say(scene.model, failure)
    scene.say(scene.stable, "good")
    scene.ask()
    assert scene.replies() == [("good", STABLE)]
    assert sorted(scene.made()) == [(CANDIDATE, outcome, 1), (STABLE, "ok", 0)]
    kinds = ("engine", "outage", "request")
    counted = [scene.metric("assistant_engine_errors_total", arm=CANDIDATE, kind=kind) for kind in kinds]
    assert sum(counted) == engine
    assert sum(scene.metric("assistant_engine_errors_total", arm=STABLE, kind=kind) for kind in kinds) == 0
    # The dialogue goes on with who answered it.
    scene.say(scene.stable, "again")
    scene.ask()
    assert scene.replies()[-1] == ("again", STABLE)


def test_a_request_that_stable_refuses_as_well_is_nobodys_failure(scene: Scene) -> None:
    scene.say(scene.model, RequestError("x"))
    scene.say(scene.stable, RequestError("x"))
    scene.ask()
    assert scene.made() == []


def test_stables_failure_is_written_down_and_tried_again_as_ever(store: Store) -> None:
    scene = Scene(store, share=0.001)
    scene.say(scene.stable, InferenceError("x"), "second try")
    scene.ask()
    store.clock.now += 10
    assert answer_one(scene.worker)
    assert scene.made() == [(STABLE, "error", 1), (STABLE, "ok", 1)]


def test_a_late_answer_is_stables_and_the_time_is_shared(store: Store) -> None:
    scene = Scene(store, deadline_share=0.25)
    scene.arms.slow_seconds = 0.05

    def slow(turns: Sequence[Turn], options: Options, caller: Caller = NOBODY) -> Completion:
        scene.model.seen.append((list(turns), options))
        threading.Event().wait(options.deadline_seconds)
        return Completion("cut by the deadline", 1, 1, "length")

    scene.model.generate = slow  # type: ignore[method-assign]
    scene.say(scene.stable, "in time")
    scene.ask()
    assert scene.replies() == [("in time", STABLE)]
    with store.database.read() as session:
        kind = session.execute(select(RolloutAnswer.kind).where(RolloutAnswer.arm == CANDIDATE)).scalar_one()
    assert kind == "late"
    assert scene.model.seen[0][1].deadline_seconds == 0.05
    assert scene.stable.seen[0][1].deadline_seconds < 60.0
    # Before stable's pace is known it is a share of the whole.
    scene.arms.slow_seconds = 0.0
    assert scene.arms.deadline(60.0) == 15.0


def call(*texts: str, **more: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[i % 2], "content": t} for i, t in enumerate(texts)], **more}


def test_an_api_caller_who_has_read_words_gets_an_error_and_others_stables_answer(scene: Scene) -> None:
    with scene.progress.watching("a1") as watch:
        scene.model.says = ["half a sen"]
        scene.say(scene.model, Outage("x"))
        scene.ask("a1", platform="api", payload=call("q"))
        assert watch.next(0) == "half a sen"
    assert scene.made() == [(CANDIDATE, "error", 1)]
    assert scene.metric("assistant_messages_total", channel="api", outcome="failed", arm=CANDIDATE) == 1
    with scene.progress.watching("a2") as watch:
        watch.reads_pieces = False
        scene.say(scene.model, Outage("x"))
        scene.say(scene.stable, "whole")
        scene.ask("a2", platform="api", payload=call("q"))
    assert scene.replies()[-1] == ("whole", STABLE)


def test_an_api_dialogue_keeps_its_arm_and_an_evaluation_is_left_alone(scene: Scene) -> None:
    # It may have begun before the rollout.
    assert scene.arms.of_call(call("q", "a", "r")) == STABLE
    scene.say(scene.model, "a")
    scene.ask("a1", platform="api", payload=call("q"))
    assert scene.arms.of_call(call("q", "a", "r")) == CANDIDATE
    assert scene.arms.of_call(call("q", cache="no-store")) == STABLE
    assert scene.arms.of_call(call("q", cache="no-cache")) == CANDIDATE
    scene.store.clock.now += REST
    scene.follow()
    assert scene.arms.of_call(call("other", "a", "r")) == CANDIDATE
    scene.move(PAUSED)
    assert scene.arms.of_call(call("q", "a", "r")) == CANDIDATE
    assert scene.arms.of_call(call("q")) == STABLE


def test_a_candidate_that_is_away_costs_nothing_and_counts_for_nothing(scene: Scene) -> None:
    scene.model.ready = False
    scene.say(scene.stable, "x")
    scene.ask()
    assert scene.made() == [(STABLE, "ok", 0)]
    assert scene.model.seen == []


def in_threads(count: int, work: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_a_candidate_that_hangs_holds_its_own_threads_alone(store: Store) -> None:
    scene = Scene(store, share=0.5)
    scene.model.hold.clear()
    mine, others = chats(0.5, candidates=True), chats(0.5, candidates=False)
    for number, chat in enumerate(mine[:4]):
        store.inbox.accept(Incoming("feishu", f"h{number}", chat, "q"))
    threads = in_threads(4, lambda: answer_one(scene.worker))
    until("all four wait for the candidate", lambda: scene.model.entered == 4)
    scene.say(scene.stable, *["x"] * 3)
    for chat in others[:3]:
        scene.ask(chat)
    assert [arm for _, arm in scene.replies()] == [STABLE] * 3
    assert scene.worker._thinking == 0, "no place in stable's line is taken"
    # A fifth one waits without a thread; the rollback frees all of them, and they are stable's.
    store.inbox.accept(Incoming("feishu", "h5", mine[4], "q"))
    assert answer_one(scene.worker)
    assert len(scene.replies()) == 3
    scene.say(scene.stable, *["y"] * 5)
    scene.move(ROLLED_BACK)
    for thread in threads:
        thread.join(30)
    store.clock.now += 1
    assert answer_one(scene.worker)
    assert [arm for _, arm in scene.replies()] == [STABLE] * 8
    assert scene.worker._thinking == 0


def test_who_waits_too_long_for_the_candidate_is_stables(store: Store) -> None:
    scene = Scene(store, deadline_share=0.1)
    scene.model.hold.clear()
    for number in range(4):
        scene.store.inbox.accept(Incoming("feishu", f"h{number}", f"h{number}", "q"))
    threads = in_threads(4, lambda: answer_one(scene.worker))
    until("all four wait for the candidate", lambda: scene.model.entered == 4)
    scene.store.inbox.accept(Incoming("feishu", "late", "late", "q"))
    assert answer_one(scene.worker)
    assert scene.replies() == []
    # Past the candidate's deadline, and within the others' leases.
    scene.store.clock.now += 10
    scene.say(scene.stable, "at last")
    assert answer_one(scene.worker)
    assert scene.replies() == [("at last", STABLE)]
    assert scene.made() == [(STABLE, "ok", 0)]
    scene.say(scene.model, *["x"] * 4)
    scene.model.hold.set()
    for thread in threads:
        thread.join(30)
    assert len(scene.replies()) == 5
