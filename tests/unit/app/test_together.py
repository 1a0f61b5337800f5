"""Several who ask at once are served by one transaction, and none pays for another's fault."""

import threading
import time
from collections.abc import Callable

import pytest

from assistant.store.together import Together


class Desk:
    """Serves in batches; the first one only when it is let go."""

    def __init__(self, bad: int = -1) -> None:
        self.together = Together(self._act)
        self.bad, self.batches, self.let_go = bad, list[list[int]](), threading.Event()
        self.results: dict[int, int | BaseException] = {}
        self.threads: list[threading.Thread] = []

    def _act(self, come: Callable[[], list[int]]) -> list[int]:
        if not self.let_go.wait(30):
            raise TimeoutError
        items = come()
        self.batches.append(items)
        if self.bad in items:
            raise ValueError(self.bad)
        return [10 * item for item in items]

    def ask(self, item: int) -> None:
        def run() -> None:
            try:
                self.results[item] = self.together.ask(item)
            except ValueError as error:
                self.results[item] = error

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.threads.append(thread)
        deadline = time.monotonic() + 30
        while item not in [waiting for waiting, _ in self.together._waiting]:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def finish(self) -> None:
        self.let_go.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()


def test_what_comes_meanwhile_goes_together_and_each_gets_its_own() -> None:
    desk = Desk()
    for item in (1, 2, 3):
        desk.ask(item)
    desk.finish()
    assert desk.batches == [[1, 2, 3]]
    assert desk.results == {1: 10, 2: 20, 3: 30}
    assert desk.together.ask(4) == 40
    assert desk.batches == [[1, 2, 3], [4]]


def test_one_that_cannot_be_done_fails_alone() -> None:
    desk = Desk(bad=2)
    for item in (1, 2, 3):
        desk.ask(item)
    desk.finish()
    assert isinstance(desk.results[2], ValueError)
    assert (desk.results[1], desk.results[3]) == (10, 30)
    assert desk.together.ask(5) == 50


def test_a_transaction_that_does_not_begin_fails_and_the_next_one_is_tried() -> None:
    closed = True

    def act(come: Callable[[], list[int]]) -> list[int]:
        if closed:
            raise ValueError("closed")
        return come()

    together = Together(act)
    with pytest.raises(ValueError, match="closed"):
        together.ask(1)
    closed = False
    assert together.ask(2) == 2
