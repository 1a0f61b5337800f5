"""The line of those who want to write."""

import threading
import time

from assistant.store.write_line import MOST_URGENT, WriteLine


class Line:
    """A line with somebody inside, behind whom others stand in a known order."""

    def __init__(self) -> None:
        self.line = WriteLine()
        self.served: list[str] = []
        self.threads: list[threading.Thread] = []

    def stand(self, name: str, *, urgent: bool) -> None:
        def wait() -> None:
            with self.line.turn(urgent=urgent):
                self.served.append(name)

        before = len(self.line._urgent) + len(self.line._others)
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        self.threads.append(thread)
        while len(self.line._urgent) + len(self.line._others) == before:
            time.sleep(0.001)

    def finish(self) -> list[str]:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()
        return self.served


def test_first_come_first_served_and_urgent_ones_before() -> None:
    line = Line()
    with line.line.turn(urgent=False):
        for name in ("a", "b"):
            line.stand(name, urgent=False)
        for name in ("u", "v"):
            line.stand(name, urgent=True)
        assert line.served == []
    assert line.finish() == ["u", "v", "a", "b"]


def test_urgent_ones_do_not_hold_up_the_others_for_ever() -> None:
    line = Line()
    with line.line.turn(urgent=True):
        line.stand("patient", urgent=False)
        for number in range(MOST_URGENT + 3):
            line.stand(f"urgent-{number}", urgent=True)
    assert line.finish().index("patient") == MOST_URGENT


def test_a_fault_inside_lets_the_next_one_in() -> None:
    line = Line()
    try:
        with line.line.turn(urgent=False):
            line.stand("next", urgent=False)
            raise ValueError
    except ValueError:
        pass
    assert line.finish() == ["next"]
    with line.line.turn(urgent=True):
        pass


def test_never_two_inside() -> None:
    line, inside, most = WriteLine(), 0, 0

    def work(urgent: bool) -> None:
        nonlocal inside, most
        for _ in range(200):
            with line.turn(urgent=urgent):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work, args=(n % 2 == 0,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (most, inside) == (1, 0)
