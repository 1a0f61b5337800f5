"""What a model writes becomes a card that shows it and does nothing else; long answers become several."""

import json
import re

import pytest

from assistant.channels.feishu.cards import answer_card
from assistant.channels.feishu.markdown import GAP, has_markup, safe_markdown, summary
from assistant.channels.feishu.split import MAX_BYTES, size, split

FENCE = "```"


@pytest.mark.parametrize(
    "text",
    [
        "plain words, 中文，和标点。",
        "**bold** *italic* ~~gone~~ `code` and [a link](https://example.org/a_(b))",
        "- one\n    - two\n1. three\n> a quote\n# A title\n\n---\n| a | b |\n| - | - |\n| 1<br>2 | 3 |",
        f"{FENCE}html\n<a href='x'><font color=red>code stays code</font></a>\n{FENCE}",
        "a & b &amp; c, 2 > 1, 3 + 4!",
    ],
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert safe_markdown(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "<at id=all></at>",
        "< at id=all></at>",
        "<AT id=all>",
        "<at ids=ou_1,ou_2></at>",
        "<person id='ou_1'></person>",
        "`<at id=all></at>`",
        "``<at id=all></at>``",
        f"{FENCE}\n<at id=all></at>\n{FENCE}",
        f"{FENCE}<at id=all></at>\ncode\n{FENCE}",
        "~~~\n<at id=all></at>",
        "\\<at id=all></at>",
        "<at\nid=all></at>",
        "| a |\n| - |\n| <at id=all></at> |",
    ],
)
def test_nobody_is_notified(text: str) -> None:
    assert not re.search(r"<\s*/?\s*(at|person)\b", safe_markdown(text), re.IGNORECASE)


@pytest.mark.parametrize(
    "text",
    [
        "<link url='https://evil.example'>x</link>",
        "<font color=red>x</font>",
        "<raw>x</raw>",
        "\\`<link url=x>y</link>`",
        "`a\n` <link url=x>y</link> `b`",
        f"- a\n  {FENCE}\n<link url=x>y</link>",
        "<audio file_key='x'></audio>",
        "<number_tag url='x'>1</number_tag>",
    ],
)
def test_no_tag_outside_of_code(text: str) -> None:
    assert not re.search(r"</?(link|font|raw|audio|number_tag)\b", safe_markdown(text), re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("[x](javascript:alert)", "[x]&#40;javascript:alert)"),
        ("[x](tel://110)", "[x]&#40;tel://110)"),
        ("[x]( https://a.example)", "[x]&#40; https://a.example)"),
        ("![x](img_v2_1)", "&#33;[x]&#40;img_v2_1)"),
        ("![x](https://a.example/b.png)", "&#33;[x](https://a.example/b.png)"),
        ("[x]: javascript:alert", "&#91;x]: javascript:alert"),
        ("[x]: https://a.example", "[x]: https://a.example"),
        ("<https://a.example/b?c=d>", "https://a.example/b?c=d"),
        ("if a < b", "if a &#60; b"),
        ("a `x <font> y` b", f"a `x <{GAP}font> y` b"),
    ],
)
def test_links_images_and_signs(text: str, safe: str) -> None:
    assert safe_markdown(text) == safe


def test_summary_and_markup() -> None:
    assert summary("# A *title*\n\n[link](https://a.example) `x`") == "A title link x"
    assert len(summary("a" * 500)) == 60
    assert has_markup("**a**") and has_markup("- a\n- b") and has_markup(f"{FENCE}\na\n{FENCE}")
    assert not has_markup("Hello! /help: this text · 显示本帮助\n你好")


def test_a_short_text_is_one_part() -> None:
    assert split("a\n\nb") == ["a\n\nb"]
    assert split("") == [""]
    assert split(" \n") == [""] or split(" \n") == [" "]


def joined(parts: list[str]) -> str:
    return re.sub(r"\s", "", "".join(parts))


@pytest.mark.parametrize(
    ("sentence", "end"),
    [
        ("These are words of a sentence. ", "."),
        ("这是一个用来测试的句子。", "。"),
        ("Zeile ohne Punkt\n", "Punkt"),
        ("Absatz\n\n", "Absatz"),
        ("word ", "word"),
    ],
)
def test_long_texts_are_cut_at_sensible_places(sentence: str, end: str) -> None:
    text = (sentence * 600).strip()
    parts = split(text, 2000)
    assert len(parts) > 1
    assert joined(parts) == joined([text])
    assert all(size(part) <= 2000 for part in parts)
    assert all(part.endswith(end) for part in parts)
    assert parts == split(text, 2000)


@pytest.mark.parametrize("sign", ["👩‍👩‍👧‍👦", "👍🏽", "🇨🇳", "e\u0301", "❤️", "\u1100\u1161\u11a8"])
def test_no_sign_is_cut(sign: str) -> None:
    for before in range(8):
        parts = split("x" * before + sign * 400, 500)
        assert len(parts) > 1
        for part in parts:
            assert part.replace("x", "").replace(sign, "") == ""


def test_code_is_closed_and_opened_again() -> None:
    lines = [f"    value_{n} = {n}  # 一行" for n in range(300)]
    text = "Look:\n\n" + FENCE + "python\n" + "\n".join(lines) + f"\n{FENCE}\n\nThat was it."
    parts = split(text, 1500)
    assert len(parts) > 3
    for part in parts:
        assert size(part) <= 1500
        assert part.count(FENCE) % 2 == 0
    assert all(part.startswith(f"{FENCE}python\n    ") for part in parts[1:-1])
    found = [line for part in parts for line in part.split("\n") if line.strip().startswith("value_")]
    assert found == lines


@pytest.mark.parametrize(
    "text", ["<at id=all>" * 4000, '"\\\n' * 9000, "中" * 20000, "![(" * 6000, "\x01" * 5000, "😀" * 9000]
)
def test_every_part_fits_into_a_card(text: str) -> None:
    for part in split(text):
        card = json.dumps(answer_card(part, 2**62, "oc_" + "x" * 100, "zh"), ensure_ascii=False)
        assert len(card.encode()) < 30 * 1024
    assert MAX_BYTES < 30 * 1024
