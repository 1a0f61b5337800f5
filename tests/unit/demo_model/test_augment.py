import random

import pytest

from tools.demo_model.augment import NONE, Strength, augment
from tools.demo_model.intents import plain


@pytest.mark.parametrize(("language", "text"), [("en", "how do I stop the bot"), ("zh", "怎么停止机器人")])
def test_the_same_seed_changes_a_question_the_same_way(language: str, text: str) -> None:
    def several() -> list[str]:
        source = random.Random(3)
        return [augment(text, language, source, Strength()) for _ in range(200)]

    found = several()
    assert found == several()
    assert len(set(found)) > 100
    assert all(plain(one) for one in found)


def test_without_strength_nothing_changes() -> None:
    assert augment("How do I stop?", "en", random.Random(1), NONE) == "How do I stop?"


@pytest.mark.parametrize(
    ("strength", "language", "text", "wanted"),
    [
        (Strength(1, 0, 0, 0, 0, 0, 0, 0), "en", "where is the log", "where do i find the log"),
        (Strength(1, 0, 0, 0, 0, 0, 0, 0), "zh", "为什么", "为啥"),
        (Strength(0, 1, 0, 0, 0, 0, 0, 0), "zh", "群聊", "请问群聊"),
        (Strength(0, 0, 1, 0, 0, 0, 0, 0), "en", "stop", "stop please"),
        (Strength(0, 0, 0, 0.3, 0, 0, 0, 0), "en", "how do I stop", "how do stop"),
        (Strength(0, 0, 0, 0, 1, 0, 0, 0), "en", "how do I stop", "I stop how do"),
        (Strength(0, 0, 0, 0, 0, 1, 0, 0), "en", "commands", "comands"),
        (Strength(0, 0, 0, 0, 0, 0, 1, 0), "en", "stop", "STOP"),
        (Strength(0, 0, 0, 0, 0, 0, 0, 1), "zh", "群聊", "群聊？"),
    ],
)
def test_each_kind_of_change_happens(strength: Strength, language: str, text: str, wanted: str) -> None:
    found = {augment(text, language, random.Random(seed), strength) for seed in range(400)}
    assert wanted in found


def test_a_short_question_keeps_its_words() -> None:
    heavy = Strength(0, 0, 0, 1, 0, 0, 0, 0)
    assert augment("stop the bot", "en", random.Random(1), heavy) == "stop the bot"
