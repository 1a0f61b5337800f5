"""Threads that share one line of work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from assistant.crew import Crew

SECONDS = 20.0
# Nobody may be found by looking from time to time: within the test only waking counts.
NEVER = 3600.0


class Line:
    """Jobs that wait, and what became of them."""

    def __init__(self) -> None:
        self.jobs: list[int] = []
        self.looks = 0
        self.looking = 0
        self.most_looking = 0
        self.done: list[int] = []
        self.changed = threading.Condition()
        self.hold = threading.Event()
        self.hold.set()

    def take(self) -> int | None:
        with self.changed:
            self.looking += 1
            self.most_looking = max(self.most_looking, self.looking)
        with self.changed:
            self.looks += 1
            self.looking -= 1
            self.changed.notify_all()
            return self.jobs.pop(0) if self.jobs else None

    def work(self, job: int) -> None:
        assert self.hold.wait(SECONDS)
        with self.changed:
            self.done.append(job)
            self.changed.notify_all()

    def until_done(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.done) >= count, SECONDS), self.done

    def until_looked(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.looks >= count, SECONDS), self.looks


@contextmanager
def running(line: Line, threads: int = 4, idle_seconds: float = NEVER) -> Iterator[Crew[int]]:
    crew = Crew("test", threads, line.take, line.work, number=lambda job: job, idle_seconds=idle_seconds)
    crew.start()
    try:
        yield crew
    finally:
        line.hold.set()
        crew.stop(SECONDS)
    assert not crew.alive


def test_what_lay_there_before_the_start_is_done_without_waking() -> None:
    line = Line()
    line.jobs = [1, 2, 3, 4, 5, 6]
    with running(line):
        line.until_done(6)
    assert sorted(line.done) == [1, 2, 3, 4, 5, 6]
    assert line.most_looking == 1


def test_a_job_that_was_announced_costs_one_look() -> None:
    line = Line()
    with running(line, threads=8) as crew:
        line.until_looked(1)
        for number in (1, 2, 3):
            line.jobs.append(number)
            crew.wake(number)
            line.until_done(number)
    assert line.looks == 4


def test_jobs_that_come_while_one_is_done_run_beside_it() -> None:
    line = Line()
    line.hold.clear()
    with running(line) as crew:
        line.until_looked(1)
        for number in (1, 2, 3):
            line.jobs.append(number)
            crew.wake(number)
        # All three were taken although none is finished.
        with line.changed:
            assert line.changed.wait_for(lambda: not line.jobs, SECONDS)
        line.hold.set()
        line.until_done(3)


def test_an_older_job_that_nobody_announced_does_not_hide_the_new_one() -> None:
    line = Line()
    with running(line) as crew:
        line.until_looked(1)
        line.jobs += [7, 8]
        crew.wake(8)
        line.until_done(2)


def test_a_job_that_another_process_took_is_not_looked_for_for_ever() -> None:
    line = Line()
    with running(line) as crew:
        line.until_looked(1)
        crew.wake(9)
        line.until_looked(2)
        line.jobs.append(10)
        crew.wake(10)
        line.until_done(1)
    assert line.looks == 3


def test_jobs_of_others_are_found_by_looking_from_time_to_time() -> None:
    line = Line()
    with running(line, idle_seconds=0.01):
        line.until_looked(3)
        line.jobs += [1, 2, 3]
        line.until_done(3)


def test_stopping_ends_threads_that_rest() -> None:
    line = Line()
    with running(line, threads=3) as crew:
        line.until_looked(1)
        assert crew.alive
