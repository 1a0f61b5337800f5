"""Answers that are given again: which, for how long, and how they are forgotten."""

from typing import Any

import pytest
from sqlalchemy import select, update

from assistant.answers.answers import Answers, Basis
from assistant.answers.cache import ENTRY_BYTES, AnswerCache
from assistant.answers.keeper import AnswerKeeper
from assistant.answers.pinned import Pin, Pinned
from assistant.inference.backend import Completion, InferenceError, Options, Outage
from assistant.messages import Incoming, Kind
from assistant.store.known_answers import KnownAnswers
from assistant.store.models import InboxRow
from assistant.store.retention import erase
from tests.unit.app.conftest import Store
from tests.unit.app.test_worker_and_sender import Backend, replies, step, worker

OPTIONS = Options(100, 0.5, 60.0)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(cache: AnswerCache, model: str = "m", **more: Any) -> Answers:
    return Answers(Basis(lambda: model, "sys", OPTIONS), cache, **more)


def test_answers_are_kept_for_a_while(clock: Clock) -> None:
    cache = AnswerCache(60, clock=clock)
    cache.put(b"q", "answer", 1)
    clock.now += 60
    assert cache.get(b"q", 2) == "answer"
    clock.now += 1
    assert not cache.knows(b"q")
    assert (len(cache), cache.size) == (0, 0)
    off = AnswerCache(0, clock=clock)
    off.put(b"q", "answer", 1)
    assert not off.knows(b"q")


def test_the_oldest_answers_make_room(clock: Clock) -> None:
    cache = AnswerCache(60, clock=clock, entries=10)
    for number in range(11):
        cache.put(b"q%d" % number, "answer", number)
        assert cache.get(b"q0", number) is not None, "asked again and again, it stays"
    assert not cache.knows(b"q1")
    assert len(cache) == 10


def test_answers_take_no_more_room_than_they_may(clock: Clock) -> None:
    room = 3 * (ENTRY_BYTES + 300)
    cache = AnswerCache(60, clock=clock, size=room)
    for number in range(10):
        cache.put(b"q%d" % number, "答" * 100, number)
        assert cache.size <= room
    assert len(cache) == 3
    cache.put(b"large", "a" * room, 11)
    assert not cache.knows(b"large")
    assert len(cache) == 3, "what fits nowhere drives nothing out"
    cache.put(b"q9", "a", 12)
    cache.clear()
    assert (len(cache), cache.size) == (0, 0)


def test_a_bad_rating_of_any_copy_takes_the_answer_out(clock: Clock) -> None:
    cache = AnswerCache(60, clock=clock)
    cache.put(b"q", "answer", 1)
    cache.get(b"q", 2)
    cache.drop(3)
    assert cache.knows(b"q")
    cache.drop(2)
    assert not cache.knows(b"q")
    cache.drop(1)


def test_calls_trust_for_a_moment_that_a_message_is_kept(clock: Clock) -> None:
    looked: list[int] = []
    kept = {1}
    cache = AnswerCache(60, lambda number: bool(looked.append(number)) or number in kept, clock)
    cache.put(b"q", "answer", 1)
    for _ in range(5):
        assert cache.get(b"q", trusted_seconds=1.0) == "answer"
    assert looked == []
    clock.now += 1
    assert cache.get(b"q", trusted_seconds=1.0) == "answer"
    assert looked == [1]
    kept.clear()
    clock.now += 1
    assert cache.get(b"q", trusted_seconds=1.0) is None
    assert cache.take_hits() == {1: 6}
    assert cache.take_hits() == {}


def test_what_was_deleted_is_given_to_nobody(store: Store) -> None:
    backend = Backend("one", "two")
    subject = worker(store, backend, answers=made(AnswerCache(60, store.inbox.is_kept)))
    ask(store, 1, "a")
    step(subject)
    erase(store.database, [1])
    ask(store, 2, "b")
    step(subject)
    assert len(backend.seen) == 2
    ask(store, 3, "c")
    step(subject)
    assert replies(store) == ["two", "two"]


def ask(store: Store, number: int, chat: str, text: str = "q", **more: Any) -> None:
    store.inbox.accept(Incoming("feishu", f"m{number}", chat, text, **more))


def call(store: Store, number: int, text: str = "q", **more: Any) -> None:
    payload = {"messages": [{"role": "user", "content": text}], "temperature": 0, **more}
    store.inbox.accept(Incoming("api", f"m{number}", f"c{number}", text, payload=payload))


def kinds(store: Store) -> list[str]:
    with store.database.read() as session:
        return list(session.execute(select(InboxRow.kind).order_by(InboxRow.id)).scalars())


def test_first_question_is_answered_without_the_model_also_while_it_is_away(store: Store) -> None:
    backend = Backend("one", "two", "three")
    subject = worker(store, backend, answers=made(AnswerCache(60)))
    ask(store, 1, "a")
    step(subject)
    ask(store, 2, "b")
    step(subject)
    assert (replies(store), len(backend.seen)) == (["one", "one"], 1)
    backend.ready = False
    ask(store, 3, "c", kind=Kind.KNOWN)
    assert step(subject)
    assert replies(store) == ["one", "one", "one"]
    assert kinds(store) == ["chat"] * 3, "it counts as a question of its person"
    backend.ready = True
    # Somebody who asks it later in a conversation means something else.
    ask(store, 4, "a")
    step(subject)
    assert replies(store)[-1] == "two"


def test_a_pinned_answer_goes_before_all_others_and_needs_no_model(store: Store) -> None:
    backend = Backend("one")
    answers = made(AnswerCache(60))
    subject = worker(store, backend, answers=answers)
    ask(store, 1, "a")
    step(subject)
    answers.pinned.replace([Pin("q.", {"": "pinned"})])
    backend.ready = False
    ask(store, 2, "b", kind=Kind.KNOWN)
    assert step(subject)
    assert replies(store) == ["one", "pinned"]


def test_what_turns_out_not_to_be_known_goes_to_the_model(store: Store) -> None:
    backend = Backend("one")
    subject = worker(store, backend, answers=made(AnswerCache(60)))
    ask(store, 1, "a", kind=Kind.KNOWN)
    assert step(subject)
    assert (kinds(store), replies(store)) == (["chat"], [])
    assert step(subject)
    assert replies(store) == ["one"]


def test_cut_answers_are_not_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Backend("one", "two")
    subject = worker(store, backend, answers=made(AnswerCache(60)))
    generate = backend.generate
    monkeypatch.setattr(backend, "generate", lambda *a: Completion(generate(*a).text, 1, 1, "length"))
    for number, chat in enumerate(("a", "b"), 1):
        ask(store, number, chat)
        step(subject)
    assert replies(store) == ["one", "two"]


def test_channels_models_and_calls_do_not_share_answers(store: Store) -> None:
    backend = Backend("chat", "call", "another model")
    cache = AnswerCache(60)
    subject = worker(store, backend, answers=made(cache))
    ask(store, 1, "a")
    call(store, 2)
    for _ in range(2):
        step(subject)
    assert replies(store) == ["chat", "call"]
    ask(store, 3, "b")
    call(store, 4)
    for _ in range(2):
        step(subject)
    assert replies(store)[2:] == ["chat", "call"]
    subject = worker(store, backend, answers=made(cache, model="n"))
    ask(store, 5, "c")
    step(subject)
    assert replies(store)[-1] == "another model"


@pytest.mark.parametrize(
    ("more", "api", "read", "store"),
    [
        ({"temperature": 0}, "deterministic", True, True),
        ({}, "deterministic", False, False),
        ({"temperature": 0.7}, "all", True, True),
        ({"temperature": 0, "cache": "no-cache"}, "deterministic", False, True),
    ],
)
def test_which_calls_are_answered_so(more: dict[str, Any], api: Any, read: bool, store: bool) -> None:
    answers = Answers(Basis(lambda: "m", "sys", OPTIONS, api=api), AnswerCache(60))
    asked = answers.of_call({"messages": [{"role": "user", "content": "q"}], **more})
    assert asked is not None
    assert (asked.read, asked.store) == (read, store)


@pytest.mark.parametrize(
    ("roles", "more", "api"),
    [
        (["user"], {"temperature": 0}, "off"),
        (["user"], {"temperature": 0, "cache": "no-store"}, "all"),
        (["user", "assistant", "user"], {"temperature": 0}, "all"),
        (["assistant", "user"], {"temperature": 0}, "all"),
    ],
)
def test_which_calls_are_not(roles: list[str], more: dict[str, Any], api: Any) -> None:
    answers = Answers(Basis(lambda: "m", "sys", OPTIONS, api=api), AnswerCache(60))
    messages = [{"role": role, "content": "q"} for role in roles]
    assert answers.of_call({"messages": messages, **more}) is None


def test_calls_that_choose_otherwise_ask_something_else() -> None:
    answers = made(AnswerCache(60), pinned=Pinned([Pin("q", {"": "pinned"})]))
    user = {"role": "user", "content": "q"}
    payloads: list[dict[str, Any]] = [
        {"messages": [user], "temperature": 0},
        {"messages": [{"role": "system", "content": "other"}, user], "temperature": 0},
        {"messages": [user], "temperature": 0, "max_tokens": 5},
        {"messages": [user], "temperature": 0, "stop": ["x"]},
        {"messages": [user], "temperature": 0, "json_object": True},
        {"messages": [user], "temperature": 0, "seed": 4},
    ]
    asked = [answers.of_call(payload) for payload in payloads]
    assert len({one.key for one in asked if one is not None}) == len(payloads)
    # A caller's own instructions, and a promise of JSON, are not what the operator answered to.
    assert [one.pinned for one in asked if one is not None] == [True, False, True, True, False, True]
    more = answers.of_call({"messages": [user], "temperature": 0, "max_tokens": 5000})
    most = answers.of_call({"messages": [user], "temperature": 0, "max_tokens": 100})
    assert more is not None
    assert most is not None
    assert more.key == most.key, "more than the operator allows is not given"


def test_a_candidates_answers_are_neither_kept_nor_replaced() -> None:
    answers = made(AnswerCache(60), pinned=Pinned([Pin("p", {"": "pinned"})]))
    stable = answers.of_message("feishu", "q")
    answers.keep(stable, Completion("stable", 1, 1, "stop"), 1)
    candidate = answers.of_message("feishu", "q", arm="candidate")
    assert answers.known(candidate, 2) is None
    answers.keep(candidate, Completion("candidate", 1, 1, "stop"), 2)
    assert answers.board(candidate, 2, 2) is None
    assert answers.board(stable, 3, 3) is None, "a candidate leads nobody"
    known = answers.known(stable, 3)
    assert known is not None
    assert known.text == "stable"
    assert answers.known(answers.of_message("feishu", "p", arm="candidate"), 4) is not None


class Herd:
    """A backend that has more of the same come while it answers."""

    def __init__(self, store: Store, backend: Backend, count: int) -> None:
        self.generate = backend.generate
        self.store, self.count, self.subject = store, count, None
        backend.generate = self.while_answering  # type: ignore[method-assign, assignment]

    def while_answering(self, *arguments: Any) -> Completion:
        count, self.count = self.count, 0
        for number in range(count):
            ask(self.store, 100 + number, f"herd {number}", "Q ." if number % 2 else "q.")
        for _ in range(count):
            assert step(self.subject)  # type: ignore[arg-type]
        return self.generate(*arguments)


@pytest.mark.parametrize("reason", ["stop", "length"])
def test_one_generation_for_all_who_ask_at_the_same_time(
    store: Store, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    backend = Backend("one")
    generate = backend.generate
    monkeypatch.setattr(backend, "generate", lambda *a: Completion(generate(*a).text, 1, 1, reason))
    herd = Herd(store, backend, 8)
    herd.subject = subject = worker(store, backend, answers=made(AnswerCache(60)))  # type: ignore[assignment]
    ask(store, 1, "first", "q")
    while step(subject):
        pass
    assert len(backend.seen) == 1
    assert kinds(store) == ["chat"] * 9
    assert replies(store) == ["one"] * 9


def test_when_the_first_gets_no_answer_the_next_one_asks(store: Store) -> None:
    backend = Backend(InferenceError("x"), "two")
    herd = Herd(store, backend, 3)
    herd.subject = subject = worker(store, backend, answers=made(AnswerCache(60)))  # type: ignore[assignment]
    ask(store, 1, "first", "q")
    while step(subject):
        pass
    assert len(backend.seen) == 2
    assert replies(store) == ["two"] * 3
    store.clock.now += 60
    while step(subject):
        pass
    assert replies(store) == ["two"] * 4, "the first one is tried again later, and needs no model any more"
    assert len(backend.seen) == 2


def test_who_waits_for_anothers_answer_is_not_forgotten_when_it_never_comes(store: Store) -> None:
    """As after a kill: the messages are there, and nobody knows of the one they waited for."""
    backend = Backend(Outage("x"), "two")
    herd = Herd(store, backend, 1)
    herd.subject = subject = worker(store, backend, answers=made(AnswerCache(60)))  # type: ignore[assignment]
    released = store.inbox.release
    store.inbox.release = lambda numbers: None  # type: ignore[method-assign]
    ask(store, 1, "first")
    step(subject)
    store.inbox.release = released  # type: ignore[method-assign]
    with store.database.write() as session:
        session.execute(update(InboxRow).where(InboxRow.id == 1).values(state="discarded"))
    assert not step(subject)
    store.clock.now += OPTIONS.deadline_seconds
    while step(subject):
        pass
    assert replies(store) == ["two"]


def test_a_command_clears_every_service(store: Store) -> None:
    answers, known = made(AnswerCache(60)), KnownAnswers(store.database)
    known.clear()
    keeper = AnswerKeeper(answers, known)
    asked = answers.of_message("feishu", "q")
    answers.keep(asked, Completion("a", 1, 1, "stop"), 1)
    keeper.step()
    assert answers.known(asked, 2) is not None, "an earlier command is about earlier answers"
    known.clear()
    keeper.step()
    assert answers.known(asked, 3) is None
