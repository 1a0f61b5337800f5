"""Threads that share one line of work: one of them looks for it, the others rest."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from assistant.loops import Loop, Loops

Job = TypeVar("Job")


class Crew(Generic[Job]):
    """One thread looks for work; when it finds some, it hands that place to another and does it.

    The pattern is called leader and followers (Schmidt and others, Pattern-Oriented Software Architecture,
    volume 2). If all idle threads looked, each message would wake them all, and the processor time of their
    looking is taken from the model: with 24 threads it was a tenth of one core.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        take: Callable[[], Job | None],
        work: Callable[[Job], None],
        number: Callable[[Job], int],
        idle_seconds: float,
    ) -> None:
        """Prepare ``threads`` threads; they run after ``start``.

        Args:
            name: what they are called in the log.
            threads: how many jobs are done at once.
            take: returns the next job, or None; called on one thread at a time.
            work: does a job.
            number: returns the number by which ``wake`` announces a job.
            idle_seconds: how long to wait before looking again, unless ``wake`` is called.
        """
        self._take, self._work, self._number, self._idle = take, work, number, idle_seconds
        self._lead = threading.Lock()
        self._called = threading.Condition()
        # Jobs that were announced and not taken yet; and whether there may be others.
        self._announced: set[int] = set()
        self._unsure = True
        self._stopping = False
        self._loops = Loops(Loop(f"{name}-{n}", self._step) for n in range(threads))

    @property
    def alive(self) -> bool:
        """Whether all threads run."""
        return self._loops.alive

    @property
    def expecting(self) -> bool:
        """Whether a job was announced that nobody has taken yet."""
        return bool(self._announced)

    def start(self) -> None:
        """Start the threads."""
        self._loops.start()

    def wake(self, number: int | None = None) -> None:
        """Look for work now: the job ``number`` is there, or, without a number, there may be some."""
        with self._called:
            if number is None:
                self._unsure = True
            else:
                self._announced.add(number)
            self._called.notify()

    def stop(self, seconds: float) -> None:
        """Take no more work, and wait at most ``seconds`` for each thread's end."""
        with self._called:
            self._stopping = True
            self._called.notify_all()
        self._loops.stop(seconds)

    def _step(self) -> bool:
        with self._lead:
            job = self._look()
        if job is not None:
            self._work(job)
        return True

    def _look(self) -> Job | None:
        """Return a job; None when it is time to stop.

        Looking costs time, so nobody looks again after a job that was announced, unless another one was.
        """
        while True:
            with self._called:
                if not (self._announced or self._unsure or self._stopping):
                    self._called.wait(self._idle)
                if self._stopping:
                    return None
                seen = set(self._announced)
                self._unsure = False
            job = self._take()
            with self._called:
                if job is None:
                    # What is not there now was taken by another process, or waits for something else.
                    self._announced -= seen
                elif self._number(job) in self._announced:
                    self._announced.remove(self._number(job))
                else:
                    self._unsure = True
            if job is not None:
                return job
