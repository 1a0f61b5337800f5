"""When an answer is a success: every rule of its question is met (docs/evaluation.md)."""

import json
import re
import unicodedata
from collections.abc import Sequence

from assistant.evaluation.questions import Fact, Question

# Han characters: CJK Unified Ideographs with extension A (Unicode 16, Blocks.txt).
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
# Names stay Latin in a Chinese answer: so few of its letters need be Han. More are wrong in an English one.
HAN_SHARE = 0.05
_WORD = re.compile(r"[a-z0-9]")


def failures(question: Question, answer: str, finish_reason: str) -> list[str]:
    """Return which rules ``answer`` breaks, by name; none for a success.

    Args:
        question: what was asked.
        answer: what came back.
        finish_reason: ``stop`` for a whole answer; anything else is one that was cut.
    """
    if not answer.strip():
        return ["empty"]
    text = _plain(answer)
    found = []
    if finish_reason != "stop":
        found.append("cut")
    if not all(_holds(text, fact) for fact in question.expect):
        found.append("fact")
    if question.refuse and not _holds(text, question.refuse):
        found.append("not_refused")
    if any(_holds(text, wording) for wording in question.forbid):
        found.append("forbidden")
    if not _is_in(question.language, answer):
        found.append("language")
    if question.max_characters and len(answer) > question.max_characters:
        found.append("too_long")
    if question.json_object and not _is_json_object(answer):
        found.append("no_json")
    return found


def _plain(text: str) -> str:
    """Return ``text`` as it is compared: NFKC (full-width signs as usual ones), case folded, blanks once."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _holds(text: str, fact: Fact | Sequence[str]) -> bool:
    wordings = [fact] if isinstance(fact, str) else fact
    return any(re.search(_pattern(_plain(wording)), text) for wording in wordings)


def _pattern(wording: str) -> str:
    # "4" is not in "40" or "4-bit", nor "make demo" in "make demo-down"; Chinese has no gaps between words.
    before = r"(?<![a-z0-9])(?<![a-z0-9][_-])" if _WORD.match(wording) else ""
    after = r"(?![_-]?[a-z0-9])" if _WORD.match(wording[-1]) else ""
    return before + re.escape(wording) + after


def _is_in(language: str, answer: str) -> bool:
    letters = sum(c.isalpha() for c in answer)
    if not letters:
        return True
    share = len(_HAN.findall(answer)) / letters
    return share >= HAN_SHARE if language == "zh" else share <= HAN_SHARE


def _is_json_object(answer: str) -> bool:
    try:
        return isinstance(json.loads(answer), dict)
    except (ValueError, RecursionError):
        return False
