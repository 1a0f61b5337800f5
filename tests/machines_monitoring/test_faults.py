"""One fault after the other: each is announced in both chats, once, and so is its end.

How long each takes is recorded and not asserted. At the end all messages are counted once more: nothing was
repeated. What a fault brings along (the error budget, what was given up) may fire beside its own alert.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.emulators.model_server import ModelServer
from tests.machines_monitoring import chats, engine, faults
from tests.machines_monitoring.figures import record
from tests.machines_monitoring.load import asking, post_many
from tests.machines_monitoring.watch import Course, observe
from tests.machines_monitoring.window import group_interval
from tests.machines_verify.machine_access import eventually

# What assistant_parallel of the demo answers at once is 4; the rest waits.
BACKLOG_MESSAGES = 24
BACKLOG_SECONDS = 120.0
ONCE = dict.fromkeys(chats.CHATS, 1)


@pytest.fixture(scope="module", autouse=True)
def begun() -> float:
    """Nothing of before may be taken for an answer to a fault."""
    return time.time()


@pytest.fixture(scope="class")
def model_server() -> Iterator[ModelServer]:
    with engine.other_engine() as state:
        yield state


def told(alert: str, state: str, since: float) -> dict[str, int]:
    return {chat: len(chats.messages(chat, alert, state, since)) for chat in chats.CHATS}


def announced_once(course: Course) -> None:
    assert course.fired == ONCE, course
    assert course.resolved == ONCE, course


@contextmanager
def failing_answers(state: ModelServer) -> Iterator[None]:
    with asking() as taken, engine.failing(state):
        yield
        assert taken() > 0


@contextmanager
def waiting_messages(state: ModelServer) -> Iterator[None]:
    with engine.slow(state):
        post_many(BACKLOG_MESSAGES)
        yield


class TestAnEngine:
    """Both faults of it, so that the assistant changes its engine once."""

    def test_an_engine_that_fails(self, model_server: ModelServer) -> None:
        # The five minutes of its guard count failures, of which two are enough.
        fault = failing_answers(model_server)
        announced_once(observe("AssistantErrorRateHigh", fault, looks_back=60))

    def test_what_failed_is_announced_until_somebody_looks(self, begun: float) -> None:
        """What failed is given up: a warning, which ends when an operator has decided on it."""
        assert eventually(lambda: told("AssistantDeadLetters", "firing", begun) == ONCE, 300, pause=5)
        engine.discard_given_up()
        assert eventually(lambda: told("AssistantDeadLetters", "resolved", begun) == ONCE, 600, pause=5)

    def test_messages_that_wait(self, model_server: ModelServer) -> None:
        announced_once(
            observe("AssistantBacklog", waiting_messages(model_server), condition_seconds=BACKLOG_SECONDS)
        )


def test_a_disk_that_fills() -> None:
    with faults.small_disk():
        # So long that Alertmanager looks at the group again, and must not repeat itself.
        announced_once(observe("HostDiskFull", faults.full_disk(), hold_seconds=group_interval() + 15))


Fault = Callable[[], AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("alert", "fault"),
    [("AssistantDown", faults.stopped_container), ("CertificateExpiresSoon", faults.old_certificate)],
)
def test_a_fault_of_the_machine(alert: str, fault: Fault) -> None:
    announced_once(observe(alert, fault()))


def test_nothing_was_said_twice(begun: float) -> None:
    names = [
        "AssistantErrorRateHigh",
        "AssistantBacklog",
        "HostDiskFull",
        "AssistantDown",
        "CertificateExpiresSoon",
    ]
    said = {
        f"{alert} {state} {chat}": len(chats.messages(chat, alert, state, begun))
        for alert in names
        for state in ("firing", "resolved")
        for chat in chats.CHATS
    }
    record({"fault_messages": sum(said.values()), "fault_messages_expected": len(said)})
    assert {key: count for key, count in said.items() if count != 1} == {}
