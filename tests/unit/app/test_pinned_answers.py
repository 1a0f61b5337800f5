"""Answers that the operators have written."""

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.answers.answers import Answers, Basis
from assistant.answers.keeper import AnswerKeeper
from assistant.answers.pinned import Pin, Pinned, PinnedError, parse_pins, read_pins
from assistant.inference.backend import Options
from assistant.store.known_answers import KnownAnswers
from tests.unit.app.conftest import Store

HOURS = {"questions": ["When are you open?", "你们几点开门？"], "answer_en": "At 9.", "answer_zh": "九点。"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, ["must be a list"]),
        (["x"], ["entry 1", "questions and an answer"]),
        ([HOURS, {"questions": ["q"]}], ["entry 2", "no answer", "answer_en"]),
        ([{"questions": [], "answer": "a"}], ["entry 1", "list of one or more"]),
        ([{"questions": "q", "answer": "a"}], ["entry 1", "list of one or more"]),
        ([{"questions": ["q"], "answer": 5}], ["entry 1: answer", "quotes"]),
        ([{"questions": [" "], "answer": "a"}], ["entry 1: a question", "not empty"]),
        ([{"questions": ["q"], "answer": "a" * 20_001}], ["entry 1: answer", "20001", "20000"]),
        ([{"questions": ["q"], "answer": "a\x00"}], ["entry 1: answer", "NUL"]),
        ([{"questions": ["q"], "anser": "a"}], ["entry 1", "'anser'", "answer_zh"]),
        ([HOURS, {"questions": ["when are you open"], "answer": "a"}], ["entry 2", "entry 1", "remove one"]),
    ],
)
def test_a_wrong_list_is_refused_with_its_entry(value: Any, words: list[str]) -> None:
    with pytest.raises(PinnedError) as error:
        parse_pins(value)
    assert all(word in str(error.value) for word in words), error.value


def test_a_wrong_file_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "pinned.json"
    with pytest.raises(PinnedError, match=r"pinned\.json cannot be read: No such file"):
        read_pins(path)
    path.write_text("- no JSON")
    with pytest.raises(PinnedError, match=r"pinned\.json is no JSON"):
        read_pins(path)
    path.write_text(json.dumps([HOURS]))
    assert [pin.question for pin in read_pins(path)] == HOURS["questions"]


def test_the_answer_comes_in_the_language_of_the_question() -> None:
    answers = Answers(Basis(lambda: "m", "sys", Options(10, 0.0, 60.0)), pinned=Pinned(parse_pins([HOURS])))
    for text, chosen, expected in (
        ("WHEN are you open", "", "At 9."),
        ("你们几点开门", "", "九点。"),
        ("When are you open?", "zh", "九点。"),
    ):
        if text == "你们几点开门":
            text += "?"
        known = answers.known(answers.of_message("telegram", text, chosen=chosen), 1)
        assert known is not None
        assert (known.text, known.source) == (expected, "pinned")
    assert answers.known(answers.of_message("telegram", "When are you closed?"), 1) is None


def test_one_language_alone_serves_all() -> None:
    pin = parse_pins([{"questions": ["q"], "answer_zh": "一"}])[0]
    assert [pin.answer(language) for language in ("en", "zh", "")] == ["一"] * 3


def test_pins_made_by_command_go_before_the_file_and_away_again(store: Store) -> None:
    answers = Answers(
        Basis(lambda: "m", "sys", Options(10, 0.0, 60.0)), pinned=Pinned([Pin("what", {"": "of the file"})])
    )
    known = KnownAnswers(store.database)
    keeper = AnswerKeeper(answers, known)

    def answer(text: str) -> str | None:
        found = answers.known(answers.of_message("telegram", text), 1)
        return None if found is None else found.text

    number = known.pin("WHAT!", "", "by command")
    other = known.pin("r", "en", "another")
    keeper.step()
    assert (answer("what"), answer("r")) == ("by command", "another")
    assert known.unpin([number, other, 99]) == [number, other]
    keeper.step()
    assert (answer("what"), answer("r")) == ("of the file", None)
