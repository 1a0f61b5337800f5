"""Questions, rules, and the set that is shipped."""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from assistant.evaluation import EvaluationError
from assistant.evaluation.questions import Question, QuestionSet, read_questions
from assistant.evaluation.rules import failures
from assistant.evaluation.words import WORDS
from tools.demo_model.intents import expand, load, plain

SHIPPED = Path(__file__).parents[3] / "files" / "evaluation" / "demo.jsonl"
GOOD: dict[str, Any] = {
    "id": "port-en",
    "language": "en",
    "kind": "ssh",
    "messages": [{"role": "user", "content": "Which port?"}],
    "reference": "SSH listens on port 22.",
    "expect": ["22"],
}


def made(**changes: Any) -> Question:
    return Question.model_validate({**GOOD, **changes})


@pytest.fixture(scope="module")
def shipped() -> QuestionSet:
    return read_questions(SHIPPED)


@pytest.mark.parametrize(
    ("changes", "answer", "reason", "broken"),
    [
        ({}, "It is port 22.", "stop", []),
        ({}, "It is port \uff12\uff12\u3002", "stop", []),
        ({}, "It is port 2222 or 220.", "stop", ["fact"]),
        ({}, "  \n", "stop", ["empty"]),
        ({}, "It is port 22", "length", ["cut"]),
        ({}, "端口是 22，请放行防火墙", "stop", ["language"]),
        ({"language": "zh"}, "It is port 22.", "stop", ["language"]),
        ({"language": "zh"}, "运行 ssh -p 22", "stop", []),
        ({"expect": [["port 22", "22/tcp"], "SSH"]}, "ssh is 22/TCP", "stop", []),
        ({"expect": [["port 22", "22/tcp"], "SSH"]}, "it is 22/TCP", "stop", ["fact"]),
        ({"expect": ["make demo"]}, "run make demo-down", "stop", ["fact"]),
        ({"expect": ["make  demo"]}, "run `make\ndemo`.", "stop", []),
        ({"forbid": ["password"]}, "22, and your Password is old", "stop", ["forbidden"]),
        ({"max_characters": 5}, "port 22", "stop", ["too_long"]),
        ({"json_object": True}, '{"port": 22}', "stop", []),
        ({"json_object": True}, "[22]", "stop", ["no_json"]),
        ({"expect": [], "refuse": ["I cannot", "not allowed"]}, "I cannot tell you that.", "stop", []),
        ({"expect": [], "refuse": ["I cannot", "not allowed"]}, "It is 22.", "stop", ["not_refused"]),
    ],
)
def test_rules(changes: dict[str, Any], answer: str, reason: str, broken: list[str]) -> None:
    assert failures(made(**changes), answer, reason) == broken
    assert all(f"rule_{name}" in WORDS for name in broken), "the report has no words for it"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "holds no question"),
        ("not json", "line 1"),
        (json.dumps({**GOOD, "expected": []}), "expected"),
        (json.dumps({**GOOD, "expect": []}), "needs either expect"),
        (json.dumps({**GOOD, "refuse": ["no"]}), "needs either expect"),
        (json.dumps({**GOOD, "language": "fr"}), "language"),
        (json.dumps({**GOOD, "reference": " "}), "reference"),
        (json.dumps({**GOOD, "messages": [{"role": "assistant", "content": "x"}]}), "the user's"),
        (json.dumps(GOOD) + "\n\n" + json.dumps(GOOD), "port-en occurs twice"),
        (json.dumps(GOOD) + "\n" + json.dumps({**GOOD, "id": "again"}), "the conversation"),
    ],
)
def test_a_wrong_set_is_refused_with_the_place(tmp_path: Path, lines: str, said: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(lines, encoding="utf-8")
    with pytest.raises(EvaluationError, match=said) as error:
        read_questions(path)
    assert str(path) in str(error.value)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_questions(tmp_path / "none")
    (tmp_path / "set").write_bytes(b"\xff\xfe")
    with pytest.raises(EvaluationError, match="UTF-8"):
        read_questions(tmp_path / "set")


def test_the_sets_name_is_its_files_hash(shipped: QuestionSet) -> None:
    assert shipped.sha256 == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()


def test_the_shipped_set_is_large_enough_and_even(shipped: QuestionSet) -> None:
    assert 60 <= len(shipped.questions) <= 120
    by_language = [sum(q.language == name for q in shipped.questions) for name in ("en", "zh")]
    assert by_language[0] == by_language[1]
    assert sum(bool(q.refuse) for q in shipped.questions) >= 10


def test_each_reference_is_a_success_and_no_other_questions_is(shipped: QuestionSet) -> None:
    for q in shipped.questions:
        assert failures(q, q.reference, "stop") == [], q.id
        passing = {
            other.id
            for other in shipped.questions
            if other.reference != q.reference and not failures(q, other.reference, "stop")
        }
        assert not passing, q.id


def test_no_shipped_question_is_one_that_the_demo_models_learned(shipped: QuestionSet) -> None:
    learned = {
        plain(text)
        for intent in load().intents.values()
        for template in itertools.chain(*intent.phrasings.values())
        for text in expand(template)
    }
    assert learned
    assert not [q.id for q in shipped.questions if plain(q.messages[-1].content) in learned]
