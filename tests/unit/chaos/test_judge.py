"""The judge of the chaos run sees each kind of fault; a run without faults has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.chaos.judge import (
    CALLS_AT_ONCE,
    LATE_SECONDS,
    RECORD_SECONDS,
    Answer,
    Evidence,
    judge,
    read_answer,
)
from tests.chaos.plan import Message, answer_to, answered, asked

# Two conversations on each platform; 0, 2 and 4 are one of Feishu's, 1, 3 and 5 one of Telegram's.
MESSAGES = [
    *(Message(number, ("feishu", "telegram")[number % 2], 0, float(number)) for number in range(6)),
    Message(6, "feishu", 1, 6.0),
    Message(7, "telegram", 1, 7.0),
]
FEISHU, TELEGRAM = (0, 2, 4, 6), (1, 3, 5, 7)
STEP = 10.0


def answer(number: int, at: float | None = None, **more: object) -> Answer:
    message = MESSAGES[number]
    made = Answer(message.platform, message.chat, number, number, True, STEP * number if at is None else at)
    return replace(made, **more)  # type: ignore[arg-type]


def evidence(
    *answers: Answer, kills: Sequence[float] = (), recorded: dict[int, float] | None = None
) -> Evidence:
    """All messages were accepted in their order; an answer is recorded as soon as its last copy is taken."""
    latest = {a.message: a.at for a in sorted(answers, key=lambda a: a.at) if a.message is not None}
    return Evidence(MESSAGES, answers, range(8), {**latest, **(recorded or {})}, kills, answer_seconds=0.1)


ALL = tuple(answer(number) for number in range(8))


def without(*numbers: int) -> tuple[Answer, ...]:
    return tuple(a for a in ALL if a.message not in numbers)


def test_nothing_is_wrong() -> None:
    verdict = judge(evidence(*ALL, kills=[5.0, 25.0]))
    assert verdict == type(verdict)()


@pytest.mark.parametrize("number", range(8))
def test_sees_what_was_lost(number: int) -> None:
    assert judge(evidence(*without(number))).lost == [number]


def test_tells_what_was_never_accepted() -> None:
    given = replace(evidence(*without(2, 3)), accepted=[0, 1, 3, 4, 5, 6, 7])
    verdict = judge(given)
    assert (verdict.lost, verdict.never_accepted) == ([2, 3], [2])


@pytest.mark.parametrize(
    "instead",
    [
        answer(2, message=None, whole=False),  # a notice or an apology in reply to it
        answer(2, whole=False),  # an answer that ends in the middle
        answer(2, message=4),  # another message's words
        answer(2, chat=1),  # the right words in another's chat
        answer(2, platform="telegram"),
        answer(2, message=4711),
    ],
)
def test_is_not_taken_for_an_answer(instead: Answer) -> None:
    assert judge(evidence(*without(2), instead)).lost == [2]


def test_says_which_answers_are_misplaced_or_broken_off() -> None:
    wrong = [answer(2, message=4), answer(3, chat=1)]
    verdict = judge(evidence(*ALL, *wrong, answer(5, whole=False)))
    assert (verdict.misplaced, verdict.drafts_left) == (wrong, [5])
    assert (verdict.lost, verdict.doubles) == ([], {"feishu": [], "telegram": []})


def test_notices_are_no_answers() -> None:
    notice = answer(4, message=None, whole=False)
    verdict = judge(evidence(notice, *ALL, notice))
    assert verdict == type(verdict)()


@pytest.mark.parametrize("number", FEISHU)
def test_nothing_explains_a_double_on_feishu(number: int) -> None:
    copy = answer(number, at=STEP * number + 1, answer_lost=True)
    verdict = judge(evidence(*ALL, copy, kills=[STEP * number + 0.05]))
    assert (verdict.doubles["feishu"], verdict.unexplained, verdict.by_kill) == ([number], [number], [])


@pytest.mark.parametrize("number", TELEGRAM)
@pytest.mark.parametrize("late", [-LATE_SECONDS + 0.01, 0.0, 0.1 + RECORD_SECONDS - 0.01])
def test_a_kill_before_the_record_explains_a_double_on_telegram(number: int, late: float) -> None:
    at = STEP * number
    copy = answer(number, at=at + 5)
    verdict = judge(evidence(*without(number), answer(number), copy, kills=[at + late]))
    assert (verdict.doubles["telegram"], verdict.by_kill, verdict.unexplained) == ([number], [number], [])


@pytest.mark.parametrize(
    ("kills", "recorded"),
    [
        ([], {}),  # nobody was killed
        ([30.0 - LATE_SECONDS - 0.1], {}),  # the kill was over before
        ([30.1 + RECORD_SECONDS + 0.1], {}),  # it came when all was long recorded
        ([30.05], {3: 30.2}),  # it came in time, but the database knew before the second copy
    ],
)
def test_other_doubles_on_telegram_are_not_explained(kills: list[float], recorded: dict[int, float]) -> None:
    verdict = judge(evidence(*ALL, answer(3, at=35.0), kills=kills, recorded=recorded))
    assert (verdict.doubles["telegram"], verdict.by_kill, verdict.unexplained) == ([3], [], [3])


def test_a_lost_answer_is_a_reason_of_its_own() -> None:
    verdict = judge(evidence(*without(3), answer(3, answer_lost=True), answer(3, at=35.0)))
    assert (verdict.by_lost_answer, verdict.by_kill, verdict.unexplained) == ([3], [], [])
    verdict = judge(evidence(*without(3), answer(3), answer(3, at=35.0, answer_lost=True)))
    assert verdict.unexplained == [3], "the answer to the second copy explains nothing"


def test_a_kill_explains_no_more_doubles_than_there_were_calls() -> None:
    first = [answer(1, at=30.01), answer(3), answer(5, at=30.02)]
    copies = [*first, *(answer(number, at=80.0 + number) for number in (1, 3, 5))]
    verdict = judge(evidence(*without(1, 3, 5), *copies, kills=[30.05]))
    assert (len(verdict.by_kill), len(verdict.unexplained)) == (CALLS_AT_ONCE, 3 - CALLS_AT_ONCE)
    verdict = judge(evidence(*without(1, 3, 5), *copies, kills=[30.05, 30.06]))
    assert (sorted(verdict.by_kill), verdict.unexplained) == ([1, 3, 5], [])


def test_a_kill_after_the_edit_that_made_it_whole_explains_a_double() -> None:
    copies = [answer(3, edited_at=40.0), answer(3, at=85.0)]
    assert judge(evidence(*without(3), *copies, kills=[40.1])).by_kill == [3]
    assert judge(evidence(*without(3), *copies, kills=[43.5])).unexplained == [3]


def test_each_copy_more_is_counted() -> None:
    verdict = judge(evidence(*without(7), answer(7), answer(7, at=75.0), answer(7, at=90.0), kills=[70.05]))
    assert (verdict.doubles["telegram"], verdict.by_kill, verdict.unexplained) == ([7, 7], [7], [7])


@pytest.mark.parametrize(("first", "second"), [(0, 2), (2, 4), (1, 3), (3, 5)])
def test_sees_an_answer_before_an_earlier_one(first: int, second: int) -> None:
    order = [a for a in ALL if a.message not in (first, second)]
    verdict = judge(evidence(answer(second), answer(first), *order))
    assert first in verdict.order_violations and not verdict.lost


def test_sees_a_copy_that_comes_after_a_later_answer() -> None:
    verdict = judge(evidence(*ALL, answer(1, at=80.0), kills=[10.05]))
    assert (verdict.order_violations, verdict.by_kill) == ([1], [1])


def test_feishus_order_is_that_of_acceptance() -> None:
    swapped = replace(evidence(answer(2), answer(0), *without(0, 2)), accepted=[2, 0, *range(3, 8), 1])
    assert judge(swapped).order_violations == []
    assert judge(replace(swapped, answers=ALL)).order_violations == [2]


def test_conversations_do_not_wait_for_each_other() -> None:
    assert judge(evidence(answer(7), answer(6), *without(6, 7))).order_violations == []


def test_reads_what_an_emulator_recorded() -> None:
    sent = {"chat": "oc_a", "reply_to": "om_b", "text": "".join(answer_to("Q0042 what?")), "at": 5.0}
    made = read_answer("feishu", sent, {"oc_a": 3}, {"om_b": 42})
    assert made == Answer("feishu", 3, 42, 42, True, 5.0)
    other = read_answer("feishu", {**sent, "text": "You are number 3 in the queue."}, {}, {})
    assert (other.chat, other.reply_to, other.message) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A0042 is the next part, as asked Z0042", (42, True)),
        ('{"elements":[{"content":"A0042 is ... Z0042"}]}', (42, True)),
        ("<b>A0042</b> is\nZ0042 👍", (42, True)),
        ("A0042 is the next", (42, False)),
        ("A0042 is the next part, as asked Z0043", (42, False)),
        ("Sorry, I could not answer this message.", (None, False)),
    ],
)
def test_answers_are_known_by_their_words(text: str, expected: tuple[int | None, bool]) -> None:
    assert answered(text) == expected


def test_the_models_words_belong_to_the_question() -> None:
    text = MESSAGES[5].text
    assert asked(text) == 5
    assert answered("".join(answer_to(text))) == (5, True)
    assert answered("".join(answer_to("hello"))) == (None, False)
