"""What happens in a run, all drawn from its seed: who writes what and when, and when the kills come."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

PLATFORMS = ("feishu", "telegram")
LONGEST_LIFE_SECONDS = 10.0
SHORTEST_LIFE_SECONDS = 0.3
PAUSE_SECONDS = 3.0
# An answer holds the question's number at both ends, so that a part of one is no answer.
_WHOLE = re.compile(r"A(\d{4})\b.*\bZ\1\b", re.DOTALL)
_BEGUN = re.compile(r"\bA(\d{4})\b")
_QUESTION = re.compile(r"\bQ(\d{4})\b")


@dataclass(frozen=True)
class Message:
    """One message: ``after`` is in seconds from the beginning, ``chat`` counts a platform's conversations."""

    number: int
    platform: str
    chat: int
    after: float

    @property
    def text(self) -> str:
        """What the person writes; no two messages are alike, so that no answer comes from a cache."""
        return f"Q{self.number:04} what comes after part {self.number} of chat {self.platform}{self.chat}?"


@dataclass(frozen=True)
class Plan:
    """Messages by time, and how long the assistant lives after each start until it is killed, in seconds."""

    seed: int
    messages: tuple[Message, ...]
    lives: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """How long the assistant is being killed."""
        return sum(self.lives)


def make_plan(seed: int, messages: int, conversations: int, kills: int) -> Plan:
    """Draw a plan.

    Half of the conversations are on each platform; each has about as many messages as another, written 3 s
    apart on average, so that many wait for an earlier one. A life is as likely to end in the start, in the
    middle of the work or later.

    Args:
        seed: the same one gives the same plan.
        messages: how many in all, 1 to 9999.
        conversations: how many in all, at least one on each platform.
        kills: how often the assistant is killed.
    """
    source = random.Random(seed)
    lives = tuple(source.uniform(SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS) for _ in range(kills))
    end = sum(lives) or LONGEST_LIFE_SECONDS
    places = [(PLATFORMS[number % 2], number // 2) for number in range(conversations)]
    times: list[tuple[float, str, int]] = []
    for number, (platform, chat) in enumerate(places):
        after = source.uniform(0, end * 0.9)
        for _ in range(number, messages, conversations):
            times.append((after, platform, chat))
            after += source.expovariate(1 / PAUSE_SECONDS)
    return Plan(
        seed,
        tuple(
            Message(number, platform, chat, after)
            for number, (after, platform, chat) in enumerate(sorted(times))
        ),
        lives,
    )


def answer_to(question: str) -> list[str]:
    """Return the model's answer to the latest message of a conversation, in pieces."""
    found = _QUESTION.search(question)
    if found is None:
        return ["Z0000 there was no question"]
    return [f"A{found[1]}", " is", " the", " next", " part,", " as", " asked", f" Z{found[1]}"]


def answered(text: str) -> tuple[int | None, bool]:
    """Say which message a sent text answers, and whether the whole answer is there.

    None is for texts without the model's words: notices, buttons, apologies. This is the one place that knows
    what an answer looks like.
    """
    if whole := _WHOLE.search(text):
        return int(whole[1]), True
    begun = _BEGUN.search(text)
    return (int(begun[1]), False) if begun else (None, False)


def asked(text: str) -> int | None:
    """Say which message a stored text is."""
    found = _QUESTION.search(text)
    return int(found[1]) if found else None
