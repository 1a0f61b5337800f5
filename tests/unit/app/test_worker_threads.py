"""Who waits for the model, and who does not."""

import threading
import time
from collections.abc import Callable, Sequence

from assistant.inference.backend import NOBODY, Caller, Completion, Options
from assistant.messages import Incoming, Kind, Turn
from tests.unit.app.conftest import Store
from tests.unit.app.test_worker_and_sender import Backend, replies, worker


def accept(store: Store, chat: str, kind: Kind = Kind.CHAT) -> int:
    number = store.inbox.accept(Incoming("feishu", f"m-{chat}", chat, f"text {chat}", kind=kind))
    assert number is not None
    return number


def test_a_command_does_not_stand_in_line_behind_questions(store: Store) -> None:
    subject = worker(store, Backend("one", "two"), threads=3, model_threads=1)
    for chat in ("a", "b"):
        accept(store, chat)
    first = subject._claim()
    assert first is not None
    assert first.text == "text a"
    assert subject._claim() is None, "the model has no use for a second one"
    accept(store, "c", Kind.HELP)
    command = subject._claim()
    assert command is not None
    assert command.kind is Kind.HELP
    subject._handle(command)
    subject._handle(first)
    second = subject._claim()
    assert second is not None
    assert second.text == "text b"


class Held(Backend):
    """Answers when it is let go."""

    def __init__(self) -> None:
        super().__init__("one", "two")
        self.asked, self.let_go = threading.Event(), threading.Event()

    def generate(self, turns: Sequence[Turn], options: Options, caller: Caller = NOBODY) -> Completion:
        self.asked.set()
        assert self.let_go.wait(30)
        return super().generate(turns, options, caller)


def test_whoever_is_free_again_takes_what_came_meanwhile(store: Store) -> None:
    backend = Held()
    subject = worker(store, backend, threads=2, model_threads=1)
    # Nobody looks by himself: a message that was not announced is found by those who end their work.
    subject._answering._idle = 3600.0
    subject.start()
    try:
        subject.wake(accept(store, "a"), Kind.CHAT)
        assert backend.asked.wait(30)
        subject.wake(accept(store, "b"), Kind.CHAT)
        backend.let_go.set()
        _until(lambda: len(replies(store)) == 2)
        assert sorted(replies(store)) == ["one", "two"]
    finally:
        subject.stop()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
