"""What is masked and what is not: the examples, and the limits that docs/logs.md names."""

import json
from pathlib import Path

import pytest

from assistant.masking import MARGIN, mask

EXAMPLES = json.loads(Path(__file__).with_name("masking_examples.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["text"][:30] for example in EXAMPLES])
def test_example(example: dict[str, str]) -> None:
    assert mask(example["text"]) == example["masked"]


def test_there_are_enough_of_both_kinds_in_both_languages() -> None:
    kept = [e["text"] for e in EXAMPLES if e["text"] == e["masked"]]
    changed = [e["text"] for e in EXAMPLES if e["text"] != e["masked"]]
    assert len(EXAMPLES) >= 200
    assert len(kept) >= 60
    for texts in (kept, changed):
        chinese = [text for text in texts if any("\u4e00" <= c <= "\u9fff" for c in text)]
        assert len(chinese) >= 20
        assert len(texts) - len(chinese) >= 20


def test_twice_is_no_more_than_once() -> None:
    for example in EXAMPLES:
        assert mask(example["masked"]) == example["masked"]


@pytest.mark.parametrize("before", range(0, 60, 7))
def test_what_the_limit_cuts_in_two_is_masked_whole(before: int) -> None:
    text = "字" * before + "13812345678" + "。" * 100
    shown = mask(text, limit=40)
    assert "1381" not in shown
    assert len(shown) <= 40 + len("[phone]…")


def test_a_long_text_is_looked_at_only_as_far_as_it_is_shown() -> None:
    text = "a" * (10 + MARGIN) + " 13812345678"
    assert mask(text, limit=10) == "a" * 10 + "…"


def test_each_finding_in_a_text_with_many_digits() -> None:
    text = " ".join(["13812345678"] * 300)
    assert mask(text) == " ".join(["[phone]"] * 300)
