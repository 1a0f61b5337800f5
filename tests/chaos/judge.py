"""Judges a run: what was lost, doubled, out of order or in the wrong place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.chaos.plan import PLATFORMS, Message, answered

# A call that was under way at the kill may be taken by the platform a little later.
LATE_SECONDS = 1.0
# From the platform's taking of a message to the commit in the database, without the way of the answer.
RECORD_SECONDS = 2.0
TIME_ERROR_SECONDS = 0.05
# The assistant calls a platform from two threads at most: one opens drafts, the other sends replies.
CALLS_AT_ONCE = 2


@dataclass(frozen=True)
class Answer:
    """A message that the assistant sent, as it stands in the chat at the end.

    ``message`` is the number that its words answer, None without such words; ``whole`` says whether all of
    the answer is there. ``chat`` and ``reply_to`` are the numbers of the chat and of the message that it was
    sent for, None where the platform cannot tell. ``at`` is in seconds since 1970; ``edited_at`` the time of
    the last edit, 0 without any.
    """

    platform: str
    chat: int | None
    reply_to: int | None
    message: int | None
    whole: bool
    at: float
    answer_lost: bool = False
    edited_at: float = 0.0


@dataclass(frozen=True)
class Evidence:
    """What a run left behind.

    ``answers`` are in the order in which the platforms took them. ``accepted`` are the numbers of the inbox,
    in the order of their commits; ``recorded`` says when the database was told that an answer was sent.
    ``kills`` are in seconds since 1970; ``answer_seconds`` is how long an answer of a platform is under way.
    """

    messages: Sequence[Message]
    answers: Sequence[Answer]
    accepted: Sequence[int]
    recorded: Mapping[int, float]
    kills: Sequence[float]
    answer_seconds: float = 0.0


@dataclass
class Verdict:
    """What was found; numbers of messages, except ``misplaced``, which are answers."""

    lost: list[int] = field(default_factory=list)
    never_accepted: list[int] = field(default_factory=list)
    order_violations: list[int] = field(default_factory=list)
    doubles: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in PLATFORMS})
    by_kill: list[int] = field(default_factory=list)
    by_lost_answer: list[int] = field(default_factory=list)
    unexplained: list[int] = field(default_factory=list)
    misplaced: list[Answer] = field(default_factory=list)
    drafts_left: list[int] = field(default_factory=list)


def read_answer(
    platform: str, sent: Mapping[str, Any], chats: Mapping[Any, int], ids: Mapping[Any, int]
) -> Answer:
    """Read an entry of an emulator's ``/_sent``.

    Args:
        platform: whose entry it is.
        sent: the entry.
        chats: the numbers of the platform's chats.
        ids: the numbers of the platform's messages.
    """
    message, whole = answered(str(sent["text"]))
    return Answer(
        platform,
        chats.get(sent["chat"]),
        ids.get(sent["reply_to"]),
        message,
        whole,
        float(sent["at"]),
        bool(sent.get("answer_lost")),
        float(sent.get("edited_at") or 0.0),
    )


def judge(evidence: Evidence) -> Verdict:
    """Judge a run.

    Telegram delivers a chat's updates in order, so the order of answers is that in which people wrote. Feishu
    promises no order between events: there it is the order in which the assistant accepted them.
    """
    verdict = Verdict()
    by_number = {message.number: message for message in evidence.messages}
    accepted = {number: place for place, number in enumerate(evidence.accepted)}
    copies: defaultdict[int, list[Answer]] = defaultdict(list)
    latest: dict[tuple[str, int], int] = {}
    for answer in evidence.answers:
        if answer.message is None:
            continue
        message = by_number.get(answer.message)
        if message is None or _misplaced(answer, message):
            verdict.misplaced.append(answer)
            continue
        if not answer.whole:
            verdict.drafts_left.append(message.number)
            continue
        copies[message.number].append(answer)
        place = message.number if message.platform == "telegram" else accepted.get(message.number, -1)
        chat = (message.platform, message.chat)
        if place < latest.get(chat, place):
            verdict.order_violations.append(message.number)
        latest[chat] = max(place, latest.get(chat, place))
    for message in evidence.messages:
        if not copies[message.number]:
            verdict.lost.append(message.number)
            if message.number not in accepted:
                verdict.never_accepted.append(message.number)
    _explain(verdict, evidence, copies)
    return verdict


def _misplaced(answer: Answer, message: Message) -> bool:
    if answer.platform != message.platform:
        return True
    if answer.reply_to is not None and answer.reply_to != message.number:
        return True
    return answer.chat is not None and answer.chat != message.chat


def _explain(verdict: Verdict, evidence: Evidence, copies: Mapping[int, Sequence[Answer]]) -> None:
    """Count the doubles and give each its reason.

    A kill explains one on Telegram when it fell between the platform's taking of the earlier copy and the
    moment at which the assistant would have committed that, and when the database did learn of the answer
    only after the later copy. It explains as many as there can be calls under way. On Feishu nothing
    explains a double: its ``uuid`` drops the repetition.
    """
    kills = sorted([*evidence.kills] * CALLS_AT_ONCE)
    pairs = [pair for found in copies.values() for pair in pairwise(found)]
    for earlier, later in sorted(pairs, key=lambda pair: pair[0].at):
        number = earlier.message
        assert number is not None
        verdict.doubles[earlier.platform].append(number)
        recorded = evidence.recorded.get(number)
        in_time = recorded is not None and recorded < later.at - TIME_ERROR_SECONDS
        if earlier.platform == "feishu" or in_time:
            verdict.unexplained.append(number)
        elif (kill := _kill_between(earlier, kills, evidence.answer_seconds)) is not None:
            kills.remove(kill)
            verdict.by_kill.append(number)
        elif earlier.answer_lost:
            verdict.by_lost_answer.append(number)
        else:
            verdict.unexplained.append(number)


def _kill_between(taken: Answer, kills: Sequence[float], answer_seconds: float) -> float | None:
    """Return the kill before which ``taken`` was taken, but not recorded; None if there was none."""
    limit = answer_seconds + RECORD_SECONDS
    times = (taken.at, taken.edited_at)
    return next((k for k in kills if any(-LATE_SECONDS <= k - time <= limit for time in times)), None)
