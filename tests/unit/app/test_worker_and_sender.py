"""The worker and the sender: what becomes of each kind of failure."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from assistant.admission import Admission, Rules
from assistant.channels.base import Part, PermanentError, TransientError
from assistant.commands import Commands
from assistant.inference.backend import (
    NOBODY,
    Caller,
    Completion,
    InferenceError,
    Options,
    Outage,
    QueueFull,
    RequestError,
    Stopping,
)
from assistant.messages import Incoming, Kind, Turn
from assistant.metrics import Metrics
from assistant.progress import Progress
from assistant.sender import MAX_ATTEMPTS as SEND_ATTEMPTS
from assistant.sender import Sender, delay_after
from assistant.store.models import DeadLetter, InboxRow, OutboxRow
from assistant.store.people import People
from assistant.store.ratings import Ratings
from assistant.store.switches import Switches
from assistant.texts import EMPTY, FAILED, HELP
from assistant.worker import MAX_ATTEMPTS, MAX_ENDS, OUTAGE_SECONDS, Worker
from tests.unit.app.conftest import Store


class Backend:
    ready = True

    def __init__(self, *results: str | Exception) -> None:
        self.results = list(results)
        self.seen: list[tuple[list[Turn], Options]] = []
        self.callers: list[Caller] = []
        self.says: list[str] = []

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def heed(self, more_to_come: Callable[[], bool]) -> None:
        pass

    def generate(self, turns: Sequence[Turn], options: Options, caller: Caller = NOBODY) -> Completion:
        self.seen.append((list(turns), options))
        self.callers.append(caller)
        for text in self.says:
            caller.on_text(text)
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return Completion(result, 3, 2, "stop")


NO_RULES = Rules()


def worker(
    store: Store, backend: Backend, progress: Progress | None = None, rules: Rules = NO_RULES, **more: Any
) -> Worker:
    return Worker(
        store.inbox,
        backend,
        Metrics(),
        options=Options(100, 0.5, 60.0),
        system_prompt="sys",
        heartbeat_seconds=1.0,
        push=("feishu",),
        admission=(admission := Admission(rules, People(store.database), Switches(store.database))),
        commands=Commands(
            admission,
            People(store.database),
            Ratings(store.database),
            store.outbox,
            platforms=lambda: ["feishu"],
            model="tiny",
            ready=lambda: backend.ready,
        ),
        progress=progress,
        **more,
    )


def step(subject: Worker) -> bool:
    """Do what one of the worker's threads does; returns whether there was a message."""
    claim = subject._claim()
    if claim is not None:
        subject._handle(claim)
    return claim is not None


def accept(store: Store, number: int = 1, platform: str = "feishu", **more: Any) -> None:
    store.inbox.accept(Incoming(platform, f"m{number}", "c", f"text {number}", **more))


def replies(store: Store) -> list[str]:
    with store.database.read() as session:
        return list(session.execute(select(OutboxRow.text).order_by(OutboxRow.id)).scalars())


def inbox(store: Store) -> list[tuple[str, int]]:
    with store.database.read() as session:
        return [
            (s, a)
            for s, a in session.execute(select(InboxRow.state, InboxRow.attempts).order_by(InboxRow.id))
        ]


def dead(store: Store) -> list[str]:
    with store.database.read() as session:
        return list(session.execute(select(DeadLetter.reason)).scalars())


def test_answer_and_context(store: Store) -> None:
    backend = Backend("one", "two")
    subject = worker(store, backend)
    for number in (1, 2):
        accept(store, number)
        assert step(subject)
    assert not step(subject)
    assert replies(store) == ["one", "two"]
    assert backend.seen[1][0] == [
        Turn("system", "sys"),
        Turn("user", "text 1"),
        Turn("assistant", "one"),
        Turn("user", "text 2"),
    ]


def test_nothing_is_claimed_before_the_model_is_ready(store: Store) -> None:
    backend = Backend("x")
    backend.ready = False
    accept(store)
    assert not step(worker(store, backend))
    assert inbox(store) == [("pending", 0)]


def test_commands_are_answered_while_the_model_is_away_and_messages_wait(store: Store) -> None:
    backend = Backend("x", "y")
    subject = worker(store, backend)
    accept(store)
    assert step(subject)
    backend.ready = False
    accept(store, 2)
    store.inbox.accept(Incoming("feishu", "m3", "another", "/help", kind=Kind.HELP))
    assert step(subject)
    assert not step(subject)
    assert inbox(store) == [("done", 1), ("pending", 0), ("done", 1)]
    backend.ready = True
    assert step(subject)
    assert replies(store) == ["x", HELP(""), "y"]


def test_outage_costs_no_try_until_a_day_has_passed(store: Store) -> None:
    subject = worker(store, Backend(*[Outage("x")] * 8))
    accept(store)
    for _ in range(6):
        assert step(subject)
        store.clock.now += 3600
    assert (inbox(store), replies(store)) == ([("pending", 0)], [])
    store.clock.now += OUTAGE_SECONDS
    assert step(subject)
    assert (replies(store), dead(store)) == ([FAILED("en")], ["Outage"])


def test_transient_fault_is_tried_again_and_then_given_up(store: Store) -> None:
    subject = worker(store, Backend(*[InferenceError("x")] * MAX_ATTEMPTS))
    accept(store)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert replies(store) == []
        assert step(subject)
        assert inbox(store)[0][1] == attempt
        store.clock.now += 60
    assert replies(store) == [FAILED("en")]
    assert dead(store) == ["InferenceError"]
    assert inbox(store) == [("dead", MAX_ATTEMPTS)]


def test_request_that_can_never_work_is_given_up_at_once(store: Store) -> None:
    accept(store)
    step(worker(store, Backend(RequestError("x"))))
    assert (replies(store), dead(store)) == ([FAILED("en")], ["RequestError"])


def test_message_outlives_the_ends_of_the_process(store: Store) -> None:
    accept(store)
    for _ in range(MAX_ENDS - 1):
        assert store.inbox.claim() is not None
        store.clock.now += 60
    step(worker(store, Backend("at last")))
    assert (replies(store), dead(store)) == (["at last"], [])


def test_message_that_kills_the_process_is_given_up(store: Store) -> None:
    accept(store)
    for _ in range(MAX_ENDS):
        assert store.inbox.claim() is not None
        store.clock.now += 60
    backend = Backend()
    step(worker(store, backend))
    assert backend.seen == []
    assert (replies(store), dead(store)) == ([FAILED("en")], ["process ended while answering"])


def test_stopping_gives_the_message_back(store: Store) -> None:
    accept(store)
    step(worker(store, Backend(Stopping())))
    assert inbox(store) == [("pending", 0)]
    assert store.inbox.claim() is not None


@pytest.mark.parametrize(("waits", "expected"), [(True, ("pending", 0)), (False, ("done", 1))])
def test_stopping_ends_a_call_whose_caller_is_gone(
    store: Store, waits: bool, expected: tuple[str, int]
) -> None:
    progress, messages = Progress(), [{"role": "user", "content": "q"}]
    store.inbox.accept(Incoming("api", "call", "call", "q", payload={"messages": messages}))
    with progress.watching("call"):
        if waits:
            step(worker(store, Backend(Stopping()), progress))
    if not waits:
        step(worker(store, Backend(Stopping()), progress))
    assert inbox(store) == [expected]


def test_empty_answer_becomes_a_sentence_and_is_not_remembered(store: Store) -> None:
    backend = Backend("", "x")
    subject = worker(store, backend)
    for number in (1, 2):
        accept(store, number)
        step(subject)
    assert replies(store) == [EMPTY("en"), "x"]
    assert backend.seen[1][0] == [Turn("system", "sys"), Turn("user", "text 2")]


def test_command_needs_no_model(store: Store) -> None:
    backend = Backend()
    accept(store, kind=Kind.HELP)
    step(worker(store, backend))
    assert (replies(store), backend.seen) == ([HELP("en")], [])


def test_api_call_brings_its_own_history_and_limits(store: Store) -> None:
    backend = Backend("x")
    messages = [{"role": "system", "content": "mine"}, {"role": "user", "content": "q"}]
    accept(store, platform="api", payload={"messages": messages, "max_tokens": 1000, "temperature": 0.0})
    step(worker(store, backend))
    turns, options = backend.seen[0]
    assert turns == [Turn("system", "mine"), Turn("user", "q")]
    assert (options.max_tokens, options.temperature) == (100, 0.0), "the operator's limit holds"


def test_api_call_chooses_how_words_are_chosen(store: Store) -> None:
    backend = Backend("x")
    chosen = {"top_p": 0.5, "top_k": 3, "min_p": 0.2, "repetition_penalty": 1.1, "seed": 7, "stop": ["a"]}
    messages = [{"role": "user", "content": "q"}]
    accept(store, platform="api", payload={"messages": messages, **chosen, "json_object": True})
    step(worker(store, backend))
    options = backend.seen[0][1]
    assert options.stop == ("a",)
    assert options.json_object
    assert {n: getattr(options, n) for n in chosen if n != "stop"} == {
        n: v for n, v in chosen.items() if n != "stop"
    }


def test_full_queue_costs_no_try_and_waits(store: Store) -> None:
    subject = worker(store, Backend(QueueFull(5.0), "x"))
    accept(store)
    assert step(subject)
    assert inbox(store) == [("pending", 0)]
    assert not step(subject), "it must wait as long as the backend said"
    store.clock.now += 6
    assert step(subject)
    assert replies(store) == ["x"]


def test_conversation_has_a_name_and_an_api_call_a_watch(store: Store) -> None:
    backend, progress = Backend("one", "ab"), Progress()
    subject = worker(store, backend, progress)
    accept(store)
    step(subject)
    assert backend.callers[0].conversation
    backend.says = ["a", "b"]
    messages = [{"role": "user", "content": "q"}]
    with progress.watching("call") as watch:
        store.inbox.accept(Incoming("api", "call", "call", "q", payload={"messages": messages}))
        step(subject)
        caller = backend.callers[1]
        assert not caller.conversation
        assert not caller.cancelled()
        assert [watch.next(0) for _ in range(3)] == ["a", "b", ""]
    assert caller.cancelled()
    assert progress.of("call") is None, "an answered call is forgotten"


def test_answer_that_a_caller_has_begun_to_read_is_not_begun_again(store: Store) -> None:
    backend, progress = Backend(InferenceError("x")), Progress()
    backend.says = ["a"]
    messages = [{"role": "user", "content": "q"}]
    with progress.watching("call"):
        store.inbox.accept(Incoming("api", "call", "call", "q", payload={"messages": messages}))
        step(worker(store, backend, progress))
    assert dead(store) == ["InferenceError"]


class Channel:
    def __init__(self, *results: Exception | None) -> None:
        self.results = list(results)
        self.sent: list[tuple[str, str, str]] = []

    def split(self, text: str) -> list[str]:
        return text.split("/")

    def send(self, part: Part) -> None:
        result = self.results.pop(0) if self.results else None
        if result is not None:
            raise result
        self.sent.append((part.text, part.reply_to, part.key))

    def show_typing(self, chat: str) -> None: ...

    def draft_seconds(self, chat: str) -> float:
        return 0.0

    def open_draft(self, part: Part) -> str:
        raise NotImplementedError

    def change_draft(self, chat: str, draft: str, text: str) -> None: ...


def outgoing(store: Store, text: str = "a/b") -> tuple[Sender, str]:
    store.inbox.accept(Incoming("feishu", "m1", "c", "t", reply_to="m1"))
    claim = store.inbox.claim()
    assert claim is not None
    store.inbox.finish(claim, text, push=True, remember=False)
    with store.database.read() as session:
        key = session.execute(select(OutboxRow.idempotency_key)).scalar_one()
    return Sender(store.outbox, {}, Metrics()), key


def state(store: Store) -> tuple[str, int, int]:
    with store.database.read() as session:
        row = session.execute(select(OutboxRow.state, OutboxRow.parts_sent, OutboxRow.attempts)).one()
        return (row[0], row[1], row[2])


def test_parts_are_sent_in_order_and_only_once(store: Store) -> None:
    sender, key = outgoing(store, "a/b/c")
    channel = Channel(None, TransientError("x"))
    assert sender.step("feishu", channel)
    assert state(store) == ("pending", 1, 1)
    store.clock.now += 60
    assert sender.step("feishu", channel)
    assert channel.sent == [("a", "m1", key), ("b", "", f"{key}-1"), ("c", "", f"{key}-2")]
    assert state(store) == ("done", 3, 2)
    assert not sender.step("feishu", channel)


def test_permanent_failure_is_a_dead_letter_at_once(store: Store) -> None:
    sender, _ = outgoing(store)
    sender.step("feishu", Channel(PermanentError("Forbidden")))
    assert (state(store)[0], dead(store)) == ("dead", ["Forbidden"])


@pytest.mark.parametrize("error", [TransientError("x"), RuntimeError("a bug")])
def test_transient_failure_ends_as_a_dead_letter(store: Store, error: Exception) -> None:
    sender, _ = outgoing(store)
    channel = Channel(*[error] * SEND_ATTEMPTS)
    for _ in range(SEND_ATTEMPTS):
        assert state(store)[0] == "pending"
        assert sender.step("feishu", channel)
        assert not sender.step("feishu", channel), "it must wait before the next try"
        store.clock.now += 1000
    assert state(store)[0] == "dead"


def test_platform_that_asks_for_patience_costs_no_try(store: Store) -> None:
    sender, _ = outgoing(store)
    for _ in range(SEND_ATTEMPTS + 3):
        sender.step("feishu", Channel(TransientError("rate limit", retry_after=30.0)))
        store.clock.now += 29
        assert not sender.step("feishu", Channel())
        store.clock.now += 2
    assert state(store) == ("pending", 0, 0)


def test_delays_grow_to_a_limit() -> None:
    delays = [delay_after(n) for n in range(1, SEND_ATTEMPTS + 1)]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (1.0, 300.0)
