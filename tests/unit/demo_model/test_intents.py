from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.demo_model.data import group, why, write
from tools.demo_model.intents import OUT_OF_DOMAIN, DataError, expand, load


def test_a_template_stands_for_every_choice() -> None:
    assert list(expand("{please |}stop{ now| it|}")) == [
        "please stop now",
        "please stop it",
        "please stop",
        "stop now",
        "stop it",
        "stop",
    ]


def test_a_left_out_word_leaves_no_blank() -> None:
    assert list(expand("stop {it|}, {please|} now {soon|} ?"))[-1] == "stop, now?"


@pytest.mark.parametrize("template", ["{a|b", "a}", "{a|{b|c}}"])
def test_unbalanced_or_nested_braces_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match="braces"):
        list(expand(template))


def test_intents_are_read(tmp_path: Path) -> None:
    found = load(write(tmp_path, group(), why())).intents
    assert list(found) == ["group-mention", "group-mention-why", OUT_OF_DOMAIN]
    assert found["group-mention-why"].follows == "group-mention"
    assert found["group-mention"].answers["zh"] == "在群里提到我的名字。"


def _without_chinese(intent: dict[str, Any]) -> None:
    del intent["answer"]["zh"]


def _leak(intent: dict[str, Any]) -> None:
    intent["held_out"]["en"] = ["{How do I use|use} you, in a group?"]


def _answer_of_another(intent: dict[str, Any]) -> None:
    intent["answer"]["en"] = "i am only a demonstration model!"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (_without_chinese, "groups.yml, group-mention: answer needs exactly en and zh"),
        (_leak, "group-mention: held_out has 'How do I use you, in a group?'"),
        (_answer_of_another, "have the same answer.en"),
        (lambda i: i.update(id="Group"), "groups.yml, Group: an id has small letters"),
        (lambda i: i.update(follows="nobody"), "follows nobody, which does not exist"),
        (lambda i: i.update(phrasing={}), "groups.yml, group-mention: does not know phrasing"),
        (lambda i: i["held_out"].update(zh=[]), "held_out.zh must be a list"),
        (lambda i: i["held_out"].update(zh=["{a"]), "group-mention: held_out.zh: braces"),
        (lambda i: i["phrasings"]["en"].append("Who won the cup?"), "are both asked"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], text: str
) -> None:
    intent = group()
    change(intent)
    with pytest.raises(DataError) as caught:
        load(write(tmp_path, intent))
    assert text in str(caught.value)


def test_the_same_words_may_follow_different_questions(tmp_path: Path) -> None:
    other: dict[str, Any] = group() | {"id": "other", "phrasings": {"en": ["why"], "zh": ["为什么"]}}
    other["answer"] = {"en": "Because it is so.", "zh": "因为如此。"}
    other["held_out"] = {"en": ["how come"], "zh": ["何故"]}
    assert len(load(write(tmp_path, group(), why(), other)).intents) == 4


def test_questions_about_anything_else_may_stand_in_more_files(tmp_path: Path) -> None:
    write(tmp_path, group(), why())
    (tmp_path / "out_of_domain").mkdir()
    (tmp_path / "out_of_domain" / "weather.yml").write_text(
        "phrasings: {en: [will it rain], zh: [会下雨吗]}\nheld_out: {en: [snow], zh: [下雪没有]}\n", "utf-8"
    )
    outside = load(tmp_path).intents[OUT_OF_DOMAIN]
    assert outside.phrasings["en"] == ("who won the {cup|match}", "will it rain")
    assert outside.held_out["zh"] == ("帮我烤个蛋糕", "下雪没有")


def test_a_further_file_about_anything_else_has_no_answer_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, group(), why())
    (tmp_path / "out_of_domain").mkdir()
    (tmp_path / "out_of_domain" / "weather.yml").write_text("answer: {en: It rains., zh: 下雨。}\n", "utf-8")
    with pytest.raises(DataError, match=r"out_of_domain/weather\.yml: does not know answer"):
        load(tmp_path)
