"""Rollouts in either database: one keeper at a time, states that follow each other, what is counted."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from assistant.messages import Incoming
from assistant.rollout.evidence import read_evidence
from assistant.rollout.reasons import LOADED, REPLACED, STARTED, Reason, commanded
from assistant.rollout.rules import Rules, rules_of
from assistant.store import Database, Inbox, migrate
from assistant.store.models import InboxRow, RolloutRow
from assistant.store.outbox import ARM, CACHED, RATEABLE
from assistant.store.ratings import Ratings
from assistant.store.retention import erase, find
from assistant.store.rollout_answers import Made, RolloutAnswers
from assistant.store.rollout_states import (
    ABORTED,
    LOADING,
    PAUSED,
    PROMOTED,
    PROMOTING,
    ROLLED_BACK,
    RUNNING,
    STATES,
)
from assistant.store.rollouts import RolloutRefused, Rollouts, Step, step


@pytest.fixture
def database(any_database: str) -> Iterator[Database]:
    made = Database(any_database)
    migrate(made)
    yield made
    made.close()


def into(state: str, reason: Reason | None = None) -> Step:
    said = reason or commanded(state)
    return step(state, said.code, said.english, said.chinese)


def start(rollouts: Rollouts, candidate: str = "new") -> int:
    return rollouts.start(
        candidate=candidate,
        stable="old",
        url="http://ai-candidate:8000/v1",
        key="0" * 64,
        rules=Rules().as_dict(),
        steps=(into(ABORTED, REPLACED), into(LOADING, STARTED)),
    )


def test_states_follow_each_other_and_nothing_else(database: Database) -> None:
    rollouts = Rollouts(database)
    assert rollouts.newest() is None
    may = {
        LOADING: {RUNNING, ROLLED_BACK, ABORTED},
        RUNNING: {PAUSED, PROMOTING, ROLLED_BACK, ABORTED},
        PAUSED: {RUNNING, PROMOTING, ROLLED_BACK, ABORTED},
        PROMOTING: {PROMOTED, ROLLED_BACK, ABORTED},
        PROMOTED: set(),
        ROLLED_BACK: set(),
        ABORTED: set(),
    }
    number = start(rollouts)
    for state, allowed in may.items():
        for other in STATES:
            with database.write() as session:
                session.execute(update(RolloutRow).values(state=state))
            if other != LOADING:
                assert rollouts.move(number, into(other)) == (other in allowed), (state, other)


def test_a_new_one_takes_the_place_of_the_old_one_unless_that_is_being_promoted(database: Database) -> None:
    rollouts = Rollouts(database)
    first = start(rollouts, "one")
    assert rollouts.move(first, into(RUNNING, LOADED))
    second = start(rollouts, "two")
    assert [one.reason for one in rollouts.steps(first)] == ["started", "loaded", "replaced"]
    newest = rollouts.newest()
    assert newest is not None
    assert (newest.number, newest.candidate, newest.state, newest.elapsed) == (second, "two", LOADING, 0.0)
    assert rules_of(newest.rules) == Rules()
    assert rollouts.move(second, into(RUNNING))
    assert rollouts.move(second, into(PROMOTING))
    with pytest.raises(RolloutRefused, match="two is being promoted"):
        start(rollouts, "three")
    assert not rollouts.move(first, into(ROLLED_BACK)), "what has ended stays ended"


def test_of_many_that_want_the_same_one_gets_it(any_database: str, database: Database) -> None:
    number = start(Rollouts(database))
    barrier, moved, held = threading.Barrier(6), [], []

    def work(name: int) -> None:
        mine = Database(any_database)
        try:
            rollouts = Rollouts(mine)
            barrier.wait(30)
            held.append(rollouts.hold(number, f"keeper {name}", 60.0))
            moved.append(rollouts.move(number, into(RUNNING, LOADED), only_from=(LOADING,)))
        finally:
            mine.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(held) == sorted(moved) == [False] * 5 + [True]
    assert [one.reason for one in Rollouts(database).steps(number)] == ["started", "loaded"]


def test_a_lease_is_renewed_by_its_holder_and_taken_when_it_has_run_out(database: Database) -> None:
    rollouts = Rollouts(database)
    number = start(rollouts)
    assert rollouts.hold(number, "one", 60.0)
    assert rollouts.hold(number, "one", -1.0)
    assert rollouts.hold(number, "two", 60.0)
    assert not rollouts.hold(number, "one", 60.0)


def test_each_step_is_told_once_and_a_reason_is_noted_once(database: Database) -> None:
    rollouts = Rollouts(database)
    number = start(rollouts)
    for due in (2.0, 3.0):
        rollouts.note(number, into(LOADING, Reason("few_answers", "too few", "不足")), due)
    steps = rollouts.unannounced()
    assert [(one.reason, one.chinese) for one in steps] == [
        ("started", STARTED.chinese),
        ("few_answers", "不足"),
    ]
    newest = rollouts.newest()
    assert newest is not None
    assert newest.due_hours == 3.0
    for one in steps:
        rollouts.announced(one.number)
    assert rollouts.unannounced() == []


def answer(inbox: Inbox, chat: str, arm: str, **more: object) -> int:
    """Have a message of ``chat`` answered by ``arm``; returns its number."""
    inbox.accept(Incoming("feishu", f"{chat} {len(more)} {arm}", chat, "q", sender=chat))
    claim = inbox.claim()
    assert claim is not None
    inbox.finish(
        claim, "a", remember=True, push=False, detail={ARM: arm, CACHED: False, RATEABLE: True, **more}
    )
    return claim.inbox_id


def test_what_counts_of_both_arms(database: Database) -> None:
    number, inbox = start(Rollouts(database)), Inbox(database, 60)
    answers, ratings = RolloutAnswers(database), Ratings(database)
    for place, seconds in enumerate([3.0, 1.0, 2.0, 50.0]):
        chat = f"c{place}"
        message = answer(inbox, chat, "candidate")
        answers.add(Made(number, message, "candidate", "cut" if place == 3 else "ok", seconds))
        assert ratings.rate("feishu", chat, message, 1 if place else -1, chat) == "candidate"
    # Errors have no reader; what chance did not choose, and other rollouts, are compared with nothing.
    answers.add(Made(number, 100, "candidate", "error", 9.0, kind="engine"))
    answers.add(Made(number, 101, "candidate", "empty", 9.0))
    answers.add(Made(number, 102, "candidate", "ok", 9.0, counted=False))
    answers.add(Made(number, 103, "stable", "ok", 0.5))
    other = start(Rollouts(database))
    answers.add(Made(other, 104, "candidate", "ok", 9.0))
    found = read_evidence(answers, number, Rules(window=3))
    mine = found.candidate
    assert (mine.ok, mine.cut, mine.error, mine.empty, mine.answers, mine.read) == (3, 1, 1, 1, 6, 4)
    assert (mine.p50, mine.p99, mine.ratings, mine.good_ratings) == (2.0, 50.0, 4, 3)
    assert (found.stable.answers, found.stable.p50) == (1, 0.5)
    assert found.candidate_recent == [("ok", 9.0), ("empty", 9.0), ("error", 9.0)]


def test_a_dialogues_latest_answer_says_by_which_arm_it_goes_on(database: Database) -> None:
    inbox, answers = Inbox(database, 60), RolloutAnswers(database)
    answer(inbox, "c", "candidate")
    answer(inbox, "c", "stable", cached=True)
    with database.read() as session:
        conversation = session.execute(select(InboxRow.conversation_id).limit(1)).scalar_one()
    latest = answers.latest_arm(conversation, 1800.0)
    assert latest is not None
    assert latest[0] == "candidate", "what was known before is by no model"
    assert answers.latest_arm(conversation, -1.0) is None
    assert answers.latest_arm(conversation + 1, 1800.0) is None


def test_who_is_forgotten_is_forgotten_here_too(database: Database) -> None:
    number, inbox, answers = start(Rollouts(database)), Inbox(database, 60), RolloutAnswers(database)
    for chat in ("ou_1", "ou_2"):
        answers.add(Made(number, answer(inbox, chat, "candidate"), "candidate", "ok", 1.0))
    deleted = erase(database, find(database, "feishu", user="ou_1").ids)
    assert deleted["rollout_answers"] == 1
    assert answers.figures(number, "candidate").answers == 1


def test_the_answer_and_what_is_counted_of_it_are_one_transaction(database: Database) -> None:
    number, inbox, answers = start(Rollouts(database)), Inbox(database, 60), RolloutAnswers(database)
    inbox.accept(Incoming("feishu", "m", "c", "q"))
    claim = inbox.claim()
    assert claim is not None

    def fails(_session: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        inbox.finish(claim, "a", remember=True, push=False, also=fails)
    assert inbox.waiting() == 1
    made = Made(number, claim.inbox_id, "candidate", "ok", 1.0)
    inbox.finish(claim, "a", remember=True, push=False, also=lambda session: answers.put(session, made))
    assert (inbox.waiting(), answers.figures(number, "candidate").answers) == (0, 1)
