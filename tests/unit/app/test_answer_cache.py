"""Answers that are given again: which, for how long, and how they are forgotten."""

from typing import Any

import pytest
from sqlalchemy import select

from assistant.answer_cache import ENTRIES, AnswerCache
from assistant.inference.backend import Completion
from assistant.messages import Incoming, Kind
from assistant.store.models import InboxRow
from assistant.store.retention import erase
from tests.unit.app.conftest import Store
from tests.unit.app.test_worker_and_sender import Backend, replies, step, worker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("first", "again", "same"),
    [
        ("What can you do?", "  What can\nyou do? ", True),
        ("你能做什么？", "你能做什么?", True),
        ("What can you do?", "what can you do?", False),
        ("What can you do?", "What can you do", False),
    ],
)
def test_the_same_words_are_the_same_question(clock: Clock, first: str, again: str, same: bool) -> None:
    cache = AnswerCache(60, clock=clock)
    cache.put(first, "answer", 1)
    assert cache.knows(again) is same
    assert cache.get(again, 2) == ("answer" if same else None)


def test_answers_are_kept_for_a_while(clock: Clock) -> None:
    cache = AnswerCache(60, clock=clock)
    cache.put("q", "answer", 1)
    clock.now += 60
    assert cache.get("q", 2) == "answer"
    clock.now += 1
    assert not cache.knows("q")
    off = AnswerCache(0, clock=clock)
    off.put("q", "answer", 1)
    assert not off.knows("q")


def test_the_oldest_answers_make_room(clock: Clock) -> None:
    cache = AnswerCache(60, clock=clock)
    for number in range(ENTRIES + 1):
        cache.put(f"q{number}", "answer", number)
        assert cache.get("q0", number) is not None, "asked again and again, it stays"
    assert not cache.knows("q1")


def test_a_bad_rating_of_any_copy_takes_the_answer_out(clock: Clock) -> None:
    cache = AnswerCache(60, clock=clock)
    cache.put("q", "answer", 1)
    cache.get("q", 2)
    cache.drop(3)
    assert cache.knows("q")
    cache.drop(2)
    assert not cache.knows("q")
    cache.drop(1)


def test_what_was_deleted_is_given_to_nobody(store: Store) -> None:
    backend = Backend("one", "two")
    subject = worker(store, backend)
    subject._cache = AnswerCache(60, store.inbox.is_kept)
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


def kinds(store: Store) -> list[str]:
    with store.database.read() as session:
        return list(session.execute(select(InboxRow.kind).order_by(InboxRow.id)).scalars())


def test_first_question_is_answered_without_the_model_also_while_it_is_away(store: Store) -> None:
    backend = Backend("one", "two", "three")
    subject = worker(store, backend)
    subject._cache = AnswerCache(60)
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


def test_what_turns_out_not_to_be_known_goes_to_the_model(store: Store) -> None:
    backend = Backend("one")
    subject = worker(store, backend)
    subject._cache = AnswerCache(60)
    ask(store, 1, "a", kind=Kind.KNOWN)
    assert step(subject)
    assert (kinds(store), replies(store)) == (["chat"], [])
    assert step(subject)
    assert replies(store) == ["one"]


def test_cut_answers_and_api_calls_are_not_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Backend("one", "two", "three", "four")
    subject = worker(store, backend)
    subject._cache = AnswerCache(60)
    made = backend.generate
    monkeypatch.setattr(backend, "generate", lambda *a: Completion(made(*a).text, 1, 1, "length"))
    for number, chat in enumerate(("a", "b"), 1):
        ask(store, number, chat)
        step(subject)
    monkeypatch.undo()
    for number in (3, 4):
        store.inbox.accept(
            Incoming(
                "api",
                f"m{number}",
                f"c{number}",
                "q",
                payload={"messages": [{"role": "user", "content": "q"}]},
            )
        )
        step(subject)
    assert replies(store) == ["one", "two", "three", "four"]
