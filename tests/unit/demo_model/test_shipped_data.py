"""What holds for the shipped data: enough of it in both languages, and held-out questions kept apart."""

from pathlib import Path

import pytest

from tools.demo_model.intents import FOLDER, LANGUAGES, OUT_OF_DOMAIN, Intent, Knowledge, expand, load, plain
from tools.demo_model.question_set import PATH, question_set

MOST_LINES = 400
# Characters. The model's context has to hold two turns.
LONGEST_ANSWER = {"en": 200, "zh": 120}
# How many templates an intent has at least. One that follows another is asked in fewer ways.
FEWEST_TEMPLATES = {"asked": 12, "follows": 9}
FEWEST_EXPANSIONS = {"asked": 40, "follows": 15}


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load()


@pytest.fixture(scope="module")
def inside(knowledge: Knowledge) -> list[Intent]:
    return [intent for intent in knowledge.intents.values() if intent.name != OUT_OF_DOMAIN]


def _data_files() -> list[Path]:
    return sorted(FOLDER.rglob("*.yml"))


def _texts(templates: tuple[str, ...]) -> set[str]:
    return {plain(text) for template in templates for text in expand(template)}


def test_there_are_enough_intents(inside: list[Intent]) -> None:
    assert len(inside) >= 150


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_intent_is_asked_in_many_ways(inside: list[Intent], language: str) -> None:
    few = []
    for intent in inside:
        kind = "follows" if intent.follows else "asked"
        templates = intent.phrasings[language]
        if len(templates) < FEWEST_TEMPLATES[kind] or len(_texts(templates)) < FEWEST_EXPANSIONS[kind]:
            few.append((intent.name, len(templates), len(_texts(templates))))
    assert few == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_intent_has_held_out_questions(inside: list[Intent], language: str) -> None:
    assert [intent.name for intent in inside if len(intent.held_out[language]) < 2] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_anything_else_is_asked_in_very_many_ways(knowledge: Knowledge, language: str) -> None:
    outside = knowledge.intents[OUT_OF_DOMAIN]
    assert len(outside.phrasings[language]) >= 200
    assert len(_texts(outside.phrasings[language])) >= 4000
    assert len(outside.held_out[language]) >= 60


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_differ_and_are_short(knowledge: Knowledge, language: str) -> None:
    answers = [intent.answers[language] for intent in knowledge.intents.values()]
    assert len({plain(answer) for answer in answers}) == len(answers)
    assert [answer for answer in answers if len(answer) > LONGEST_ANSWER[language]] == []


def test_no_held_out_question_is_met_in_training(knowledge: Knowledge) -> None:
    # Stricter than the check at loading: neither under another intent, nor after another question.
    learned = {
        text
        for intent in knowledge.intents.values()
        for templates in intent.phrasings.values()
        for text in _texts(templates)
    }
    shared = [
        (intent.name, text)
        for intent in knowledge.intents.values()
        for templates in intent.held_out.values()
        for text in _texts(templates)
        if text in learned
    ]
    assert shared == []


def test_the_question_set_is_that_of_the_data(knowledge: Knowledge) -> None:
    remedy = "run python -m tools.demo_model questions"
    assert PATH.read_text("utf-8") == question_set(knowledge), remedy


@pytest.mark.parametrize("path", _data_files(), ids=lambda path: path.stem)
def test_a_file_stays_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) < MOST_LINES
