"""How fast the bot may speak, with a clock that the test moves."""

import pytest

from assistant.channels.telegram.pace import ALL_MESSAGES, GROUP_MESSAGES, Pace


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock)


def test_a_burst_and_then_one_a_second(pace: Pace, clock: Clock) -> None:
    waits = [pace.take("7").seconds for _ in range(5)]
    assert waits[:3] == [0, 0, 0]
    assert waits[3] == waits[4] == pytest.approx(1)
    assert pace.take("8").seconds == 0, "another chat"
    clock.now += 1
    assert [pace.take("7").seconds for _ in range(2)] == [0, pytest.approx(1)]


def test_a_finished_answer_finds_room_after_drafts(pace: Pace) -> None:
    while pace.take("7", draft=True).seconds == 0:
        pass
    assert pace.take("7").seconds == 0
    for group in range(100):
        pace.take(f"{group}", draft=True)
    assert pace.take("200", draft=True).all
    assert pace.take("200").seconds == 0


def test_a_groups_minute(pace: Pace, clock: Clock) -> None:
    drafts = 0
    for _ in range(40):
        clock.now += 1
        drafts += pace.take("-5", draft=True).seconds == 0
    assert 0 < drafts < GROUP_MESSAGES
    finished = 0
    for _ in range(10):
        clock.now += 1
        finished += pace.take("-5").seconds == 0
    assert drafts + finished == GROUP_MESSAGES
    wait = pace.take("-5")
    assert wait.seconds > 0 and not wait.all
    clock.now += wait.seconds
    assert pace.take("-5").seconds == 0


def test_all_chats_together(pace: Pace, clock: Clock) -> None:
    assert [pace.take(f"{chat}").seconds for chat in range(ALL_MESSAGES)] == [0] * ALL_MESSAGES
    wait = pace.take("1000")
    assert wait.all and wait.seconds == pytest.approx(1)
    clock.now += wait.seconds
    assert pace.take("1000").seconds == 0


def test_telegrams_own_wish_counts(pace: Pace, clock: Clock) -> None:
    pace.hold("7", 30)
    assert (pace.take("7").seconds, pace.held("7"), pace.held("8")) == (30, True, False)
    assert pace.take("8", draft=True).seconds == 30
    assert pace.take("8").seconds == 0
    clock.now += 30
    assert (pace.take("7").seconds, pace.held("7")) == (0, False)


def test_many_chats_are_forgotten_when_they_are_quiet(pace: Pace, clock: Clock) -> None:
    for chat in range(3000):
        clock.now += 1
        pace.take(f"{chat}")
    assert len(pace._chats) < 1100
