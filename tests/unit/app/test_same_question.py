"""When two questions are the same one: 200 pairs that must not be, and others that must."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from assistant.answers.question import Scope, key_of, normalised

PAIRS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "golden" / "cache_questions.json").read_text(encoding="utf-8")
)
SCOPE = Scope("feishu cli_1", "model 1 2", "prompt", "en")


def test_near_misses_are_different_questions() -> None:
    pairs = [tuple(entry["pair"]) for entry in PAIRS["near_misses"]]
    assert len(set(pairs)) == 200
    assert [pair for pair in pairs if normalised(pair[0]) == normalised(pair[1])] == []
    kinds = {(entry["kind"], entry["language"]) for entry in PAIRS["near_misses"]}
    assert kinds == set(product(("negated", "number", "name"), ("en", "zh")))


@pytest.mark.parametrize(("one", "other"), PAIRS["same"])
def test_forms_of_one_question_are_the_same(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


def test_a_normalised_question_stays_as_it_is() -> None:
    texts = [text for entry in PAIRS["near_misses"] for text in entry["pair"]]
    assert [text for text in texts if normalised(normalised(text)) != normalised(text)] == []


@pytest.mark.parametrize(
    ("text", "same"),
    [(" ", ""), ("?", "?"), ("!!!", "!"), ("...", "..."), ("。", "。"), ("？！", "?"), ("5!", "5!")],
)
def test_of_marks_alone_something_is_left(text: str, same: str) -> None:
    assert normalised(text) == same


@pytest.mark.parametrize(
    "other",
    [
        Scope("telegram 1", "model 1 2", "prompt", "en"),
        Scope("feishu cli_1", "model 1 3", "prompt", "en"),
        Scope("feishu cli_1", "model 1 2", "another", "en"),
        Scope("feishu cli_1", "model 1 2", "prompt", "zh"),
    ],
)
def test_the_same_words_elsewhere_are_another_question(other: Scope) -> None:
    assert key_of("hello", SCOPE) == key_of("hello", SCOPE)
    assert key_of("hello", SCOPE) != key_of("hello", other)
