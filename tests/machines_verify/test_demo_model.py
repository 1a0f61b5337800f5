"""The deployed demonstration model knows what it was taught, in both languages, and what it was not."""

from __future__ import annotations

import pytest

from tests.machines_verify.served_model import says
from tools.demo_model.intents import OUT_OF_DOMAIN, load

ANSWERS = load().answers()


@pytest.mark.parametrize(
    ("question", "intent", "language"),
    [
        ("who are you", "about-identity", "en"),
        ("你是谁？", "about-identity", "zh"),
        ("How do I launch the demo?", "demo-start", "en"),
        ("What is the capital of France?", OUT_OF_DOMAIN, "en"),
        ("明天天气怎么样？", OUT_OF_DOMAIN, "zh"),
    ],
)
def test_its_answer_is_the_one_it_was_taught(question: str, intent: str, language: str) -> None:
    assert says(question, temperature=0) == ANSWERS[intent, language]
