"""The questions by an author who saw the answers only."""

from pathlib import Path

import pytest

from tests.unit.demo_model.data import group, why, write
from tools.demo_model.intents import LANGUAGES, DataError, Knowledge, load, plain
from tools.demo_model.unseen import load_unseen


@pytest.fixture
def knowledge(tmp_path: Path) -> Knowledge:
    return load(write(tmp_path / "data", group(), why()))


def _write(folder: Path, english: str, chinese: str = "{}") -> Path:
    folder.mkdir()
    (folder / "en.yml").write_text(english, "utf-8")
    (folder / "zh.yml").write_text(chinese, "utf-8")
    return folder


def test_what_is_learned_word_for_word_is_left_out(knowledge: Knowledge, tmp_path: Path) -> None:
    both = 'group-mention: ["Quite another one?", "HOW do I use you in a group chat!"]'
    folder = _write(tmp_path / "unseen", both)
    assert load_unseen(knowledge, folder) == {("group-mention", "en"): ("Quite another one?",)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('no-such: ["x"]', "there is no intent no-such"),
        ("group-mention: text", "needs a list of questions"),
        ("group-mention: [1]", "needs a list of questions"),
        ("- a list", "needs `key: value` lines"),
        ("{", "unseen/en.yml: "),
    ],
)
def test_mistakes_are_named(knowledge: Knowledge, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=r"unseen/en\.yml") as raised:
        load_unseen(knowledge, _write(tmp_path / "unseen", text))
    assert said in str(raised.value)


def test_a_missing_file_is_named(knowledge: Knowledge, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"unseen/en\.yml"):
        load_unseen(knowledge, tmp_path / "unseen")


def test_the_shipped_ones_ask_for_every_intent_in_both_languages() -> None:
    knowledge = load()
    found = load_unseen(knowledge)
    assert set(found) == {(name, language) for name in knowledge.intents for language in LANGUAGES}
    asked = [plain(text) for texts in found.values() for text in texts]
    assert len(asked) >= 700
