import json
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from werkzeug import Request, Response
from werkzeug.serving import make_server

from tests.bench.demo_model.score import (
    Nearest,
    Served,
    accuracy,
    ask_all,
    bigrams,
    f1,
    questions,
    table,
    wilson,
)
from tests.unit.demo_model.data import OUT_OF_DOMAIN, group, why, write
from tools.demo_model.card import card
from tools.demo_model.intents import load

ANSWERS = {
    ("a", "en"): "Mention me by my name.",
    ("a", "zh"): "在群里提到我的名字。",
    ("b", "en"): "Use /help.",
}


def test_blanks_and_punctuation_do_not_count() -> None:
    assert Nearest(ANSWERS).find("mention  me, by my name") == ("a", "en")


def test_a_small_slip_is_forgiven_and_a_large_one_is_not() -> None:
    nearest = Nearest(ANSWERS)
    assert nearest.find("Mention me by my nam.") == ("a", "en")
    assert nearest.find("Mention me when you like it.") is None
    assert nearest.find("") is None


def test_languages_are_told_apart() -> None:
    assert Nearest(ANSWERS).find("在群里提到我的名字") == ("a", "zh")


def test_f1_is_that_of_pairs_of_characters() -> None:
    assert f1(bigrams("abcd"), bigrams("abce")) == pytest.approx(2 / 3)
    assert f1(bigrams("ab"), bigrams("cd")) == 0


def test_wilson_interval() -> None:
    # Newcombe, 1998 (Statistics in Medicine 17:857-872), table I: 81 of 263.
    low, high = wilson(81, 263)
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert wilson(0, 0) == (0, 1)


def test_every_held_out_template_is_asked_once(tmp_path: Path) -> None:
    knowledge = load(write(tmp_path, group(), why()))
    asked = questions(knowledge)
    assert asked == questions(knowledge)
    assert [a.key for a in asked] == [
        (name, language)
        for name in ("group-mention", "group-mention-why", "out-of-domain")
        for language in ("en", "zh")
    ]
    assert [m["role"] for m in asked[2].messages] == ["user", "assistant", "user"]
    assert asked[2].messages[1]["content"] == "Mention me by my name."


Reply = Callable[[str], str]


@pytest.fixture
def served() -> Any:
    """An API that knows one answer, and says to all other questions that it is a demonstration."""

    @Request.application
    def reply(request: Request) -> Response:
        body = json.loads(request.get_data())
        assert request.headers["Authorization"] == "Bearer token"
        assert body["temperature"] == 0
        known = body["messages"][-1]["content"] == "多人聊天时怎么叫你"
        text = "在群里提到我的名字。" if known else "I am only a demonstration model."
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        return Response(json.dumps({"choices": [choice]}), content_type="application/json")

    server = make_server("127.0.0.1", 0, reply, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    client = Served(f"http://127.0.0.1:{server.server_port}", "token")
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_answers_are_marked(tmp_path: Path, served: Served) -> None:
    knowledge = load(write(tmp_path, group(), why()))
    marked = ask_all(served, questions(knowledge), knowledge.answers())
    assert [m.right for m in marked] == [False, True, False, False, True, False]
    assert marked[0].taken_for == ("out-of-domain", "en")
    assert accuracy(marked) == 0.25
    # The right intent in the wrong language is not right.
    assert accuracy(marked, outside=True) == 0.5
    lines = table("demo", marked).splitlines()
    assert lines[1].split()[:5] == ["all", "intents", "1", "4", "25.0%"]
    assert lines[-1].split()[:5] == ["anything", "else", "1", "2", "50.0%"]


def test_a_card_says_what_is_known_and_what_is_not(tmp_path: Path) -> None:
    knowledge = load(write(tmp_path, group(), why()))
    text = card("demo-v2", knowledge, {"layers": 2}, {})
    assert "2 intents in English and Chinese; 10 templates for training and 6" in text
    assert "Not scored yet" in text
    assert "- accuracy: 0.9" in card("demo-v2", knowledge, {}, {"accuracy": "0.9"})
    assert OUT_OF_DOMAIN["answer"]
