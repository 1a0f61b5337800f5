"""Group commit: what waits while one transaction is written to the disk is written together by the next one.

A commit that must survive a power cut takes as long as the disk needs, a few milliseconds on a good one and
tens on a busy one, for one row or for fifty. The idea is that of every large database's log (DeWitt and
others, "Implementation Techniques for Main Memory Database Systems", 1984, section 5.2).
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """Does what many threads ask for in as few transactions as there is time for."""

    def __init__(self, act: Callable[[Callable[[], list[Item]]], list[Result]]) -> None:
        """Call ``act`` on the thread of one of those who ask.

        ``act`` opens a transaction, then calls what it is given for the items that have come together until
        that moment, and returns a result for each once they are committed.
        """
        self._act = act
        self._lock = threading.Lock()
        self._waiting: list[tuple[Item, Future[Result]]] = []

    def ask(self, item: Item) -> Result:
        """Return the result for ``item`` after its commit; raises what ``act`` raises for it alone."""
        future: Future[Result] = Future()
        with self._lock:
            self._waiting.append((item, future))
            first = len(self._waiting) == 1
        if first:
            self._lead()
        return future.result()

    def _lead(self) -> None:
        taken: list[tuple[Item, Future[Result]]] = []

        def take() -> list[Item]:
            with self._lock:
                taken.extend(self._waiting)
                self._waiting.clear()
            return [item for item, _ in taken]

        try:
            for (_, future), result in zip(taken, self._act(take), strict=True):
                future.set_result(result)
        except BaseException as error:
            # Before it was taken, nobody's items may wait for a leader who is gone.
            take()
            if len(taken) == 1 or not isinstance(error, Exception):
                for _, future in taken:
                    future.set_exception(error)
                return
            self._each_alone(taken)

    def _each_alone(self, taken: list[tuple[Item, "Future[Result]"]]) -> None:
        """One of several cannot be done: the others must not fail with it."""
        for item, future in taken:
            try:
                [result] = self._act(lambda item=item: [item])  # type: ignore[misc]  # mypy cannot infer defaults
                future.set_result(result)
            except Exception as error:
                future.set_exception(error)
