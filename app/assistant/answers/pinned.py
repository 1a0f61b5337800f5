"""Answers that the operators have written: given for a question in any of its forms, before everything else.

They come from a file (role variable ``assistant_pinned_answers``) and from ``python -m assistant cache pin``.
The file is JSON: a list of objects with ``questions`` (a list of texts) and ``answer``, or ``answer_en`` and
``answer_zh``, or both. ``python -m assistant.answers.pinned`` judges such a list on its standard input: the
role does so before it changes anything.
"""

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.answers.question import normalised

LONGEST_QUESTION, LONGEST_ANSWER = 1000, 20_000
ANSWERS = {"answer": "", "answer_en": "en", "answer_zh": "zh"}


class PinnedError(ValueError):
    """The list is wrong; the text names the entry and what to do."""


@dataclass(frozen=True)
class Pin:
    """A question, and its answer by language; the answer for "" is for all others.

    ``number`` is that of a pin made by command, 0 for the file's.
    """

    question: str
    answers: Mapping[str, str]
    number: int = 0

    def answer(self, language: str) -> str:
        """Return the answer in ``language`` (en, zh or empty), or what is nearest to it."""
        for wanted in (language, "", "en", "zh"):
            if wanted in self.answers:
                return self.answers[wanted]
        return ""


class Pinned:
    """Pins, found by their question; safe on all threads."""

    def __init__(self, from_file: Iterable[Pin] = ()) -> None:
        """Begin with those of the file."""
        self._from_file = {normalised(pin.question): pin for pin in from_file}
        self._pins = self._from_file
        self._hits: Counter[str] = Counter()
        self._lock = threading.Lock()

    def replace(self, made: Iterable[Pin]) -> None:
        """Take ``made`` in place of all pins that were made by command; they go before the file's."""
        found = {**self._from_file}
        for pin in made:
            key, old = normalised(pin.question), found.get(normalised(pin.question))
            both = {**old.answers, **pin.answers} if old is not None else pin.answers
            found[key] = Pin(pin.question, both, pin.number)
        self._pins = found

    def find(self, question: str) -> Pin | None:
        """Return the pin for ``question``, which is ``normalised`` already."""
        return self._pins.get(question)

    def count(self, pin: Pin) -> None:
        """Note that the answer of ``pin`` was given to a call that leaves no message."""
        with self._lock:
            self._hits[pin.question] += 1

    def take_hits(self) -> dict[str, int]:
        """Return how often each question's answer was given so, since last asked."""
        with self._lock:
            hits, self._hits = self._hits, Counter()
        return dict(hits)


def read_pins(path: Path) -> list[Pin]:
    """Read the file of pinned answers.

    Raises:
        PinnedError: it cannot be read, or an entry is wrong.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PinnedError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise PinnedError(f"{path} is no JSON: {error}") from None
    return parse_pins(value)


def parse_pins(value: Any) -> list[Pin]:
    """Return the pins in ``value``, a list as in the file; raises ``PinnedError``."""
    if not isinstance(value, list):
        raise PinnedError("it must be a list of entries with questions and an answer")
    found: dict[str, tuple[int, Pin]] = {}
    for place, entry in enumerate(value, 1):
        for pin in _pins_of(entry, f"entry {place}"):
            key = normalised(pin.question)
            if key in found:
                raise PinnedError(
                    f"entry {place}: the question '{pin.question}' is one of entry {found[key][0]} already: "
                    "spaces, case and the mark at the end make no difference; remove one of them"
                )
            found[key] = (place, pin)
    return [pin for _, pin in found.values()]


def _pins_of(entry: Any, where: str) -> list[Pin]:
    if not isinstance(entry, dict):
        raise PinnedError(f"{where} must have questions and an answer")
    if unknown := sorted(map(str, entry.keys() - {"questions", *ANSWERS})):
        raise PinnedError(f"{where}: there is no '{unknown[0]}'; use questions, answer, answer_en, answer_zh")
    questions = entry.get("questions")
    if not isinstance(questions, list) or not questions:
        raise PinnedError(f"{where}: questions must be a list of one or more texts")
    answers = {}
    for name, language in ANSWERS.items():
        text = entry.get(name)
        if text is None or text == "":
            continue
        _check(text, f"{where}: {name}", LONGEST_ANSWER)
        answers[language] = text
    if not answers:
        raise PinnedError(f"{where}: it has no answer; add answer, or answer_en and answer_zh")
    for question in questions:
        _check(question, f"{where}: a question", LONGEST_QUESTION)
    return [Pin(question, answers) for question in questions]


def _check(text: Any, where: str, longest: int) -> None:
    if not isinstance(text, str) or not text.strip():
        raise PinnedError(f"{where} must be a text that is not empty; put it into quotes")
    if len(text) > longest:
        raise PinnedError(f"{where} has {len(text)} characters; at most {longest} are possible")
    if "\x00" in text or text.encode("utf-8", "ignore").decode() != text:
        raise PinnedError(f"{where} holds a character that cannot be stored (NUL or half of a pair)")


if __name__ == "__main__":
    try:
        parse_pins(json.load(sys.stdin))
    except PinnedError as error:
        sys.exit(str(error))
