"""Markdown as models write it, on Telegram; and cutting it into messages."""

import random

import pytest

from assistant.channels.telegram.markdown import Rendered, render, units
from assistant.channels.telegram.split import MAX_UNITS, first_part, split


def spans(shown: Rendered) -> list[tuple[str, str]]:
    """Each entity's kind and the text that it covers."""
    data = shown.text.encode("utf-16-le")
    return [
        (entity.type, data[entity.offset * 2 : (entity.offset + entity.length) * 2].decode("utf-16-le"))
        for entity in shown.entities
    ]


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("a **b** c", "a b c", [("bold", "b")]),
        ("*b* _c_ ~~d~~", "b c d", [("italic", "b"), ("italic", "c"), ("strikethrough", "d")]),
        ("***b***", "b", [("bold", "b"), ("italic", "b")]),
        ("😀 **粗体**", "😀 粗体", [("bold", "粗体")]),
        ("**注意：**后面", "注意：后面", [("bold", "注意：")]),
        ("他说**“你好”**然后", "他说“你好”然后", [("bold", "“你好”")]),
        ("2 * 3 * 4 = snake_case_name", "2 * 3 * 4 = snake_case_name", []),
        ("`a < b` & <b>c</b>", "a < b & <b>c</b>", [("code", "a < b")]),
        ("**a `b` c**", "a b c", [("bold", "a "), ("code", "b"), ("bold", " c")]),
        ("# Title\ntext", "Title\ntext", [("bold", "Title")]),
        ("> said\n> twice\n\nme", "said\ntwice\n\nme", [("blockquote", "said\ntwice")]),
        ("- a\n- b\n  - c\n\n3. x\n4. y", "• a\n• b\n  • c\n\n3. x\n4. y", []),
        ("a\n\n---\n\nb", "a\n\n———\n\nb", []),
        ("one\ntwo", "one\ntwo", []),
        ("    indented", "indented", []),
        ("unclosed **bold and `code", "unclosed **bold and `code", []),
        ("| a |\n|---|\n| 1 |", "| a |\n|---|\n| 1 |", [("pre", "| a |\n|---|\n| 1 |")]),
        ("**", "**", []),
    ],
)
def test_marks_become_entities(source: str, text: str, expected: list[tuple[str, str]]) -> None:
    shown = render(source)
    assert (shown.text, spans(shown)) == (text, expected)


def test_code_keeps_its_language_and_its_characters() -> None:
    shown = render("Look:\n\n```python\nif a < b:\n    print('**')\n```\n")
    assert shown.text == "Look:\n\nif a < b:\n    print('**')"
    (entity,) = shown.entities
    assert (entity.type, entity.language) == ("pre", "python")


def test_only_web_addresses_become_links() -> None:
    shown = render("[site](https://a.example/?x=1&y=2) ![picture](http://b.example/p.png)")
    assert [entity.url for entity in shown.entities] == [
        "https://a.example/?x=1&y=2",
        "http://b.example/p.png",
    ]
    for source in (
        "[a](javascript:alert(1))",
        "[a](tg://user?id=7)",
        "[a](data:text/html,x)",
        "[a](https://)",
    ):
        assert (render(source).text, render(source).entities) == (source, ())


@pytest.mark.parametrize("text", ["a" * 10_000, "字" * 9000, "😀" * 5000, "a😀字 \n" * 3000, "word " * 4000])
def test_parts_fit_and_lose_nothing(text: str) -> None:
    parts = split(text)
    assert all(0 < len(p.encode("utf-16-le")) // 2 <= MAX_UNITS for p in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert split(text) == parts


def test_units_are_utf_16() -> None:
    assert (units("a"), units("字"), units("😀")) == (1, 1, 2)


def test_the_limit_is_for_what_is_shown() -> None:
    assert split("a" * MAX_UNITS) == ["a" * MAX_UNITS]
    assert split("😀" * (MAX_UNITS // 2)) == ["😀" * (MAX_UNITS // 2)]
    assert [len(p) for p in split("a" * (MAX_UNITS + 1))] == [MAX_UNITS, 1]
    links = [f"[{'here ' * 6}{number}](https://a.example/{'x' * 200}) and" for number in range(90)]
    text = "\n".join(links)
    assert units(text) > 5 * MAX_UNITS > 5 * units(render(text).text)
    assert len(split(text)) <= 2


def test_no_part_has_more_entities_than_telegram_takes() -> None:
    parts = split(" ".join(f"[{number}](https://a.example/{number})" for number in range(250)))
    shown = [render(part) for part in parts]
    assert [one.dropped for one in shown] == [0] * len(parts)
    assert [e.url for one in shown for e in one.entities] == [f"https://a.example/{n}" for n in range(250)]
    assert len(parts) <= 4


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("x" * 60 + "\n\n" + "y" * 60, "x" * 60),
        ("x" * 60 + "\n" + "y" * 60, "x" * 60),
        ("x" * 60 + ". " + "y" * 60, "x" * 60 + "."),
        ("字" * 60 + "。" + "文" * 60, "字" * 60 + "。"),
        ("字" * 60 + "？”" + "文" * 60, "字" * 60 + "？”"),
        ("x" * 60 + " " + "y" * 60, "x" * 60),
        ("a. " + "x" * 57 + "\n" + "y" * 30 + ". z" * 30, "a. " + "x" * 57),
        (" \n " + "x" * 60 + " " * 90 + "y" * 60, "x" * 60),
    ],
)
def test_cuts_at_sensible_places(text: str, first: str) -> None:
    parts = split(text, 100)
    assert parts[0] == first
    assert all(parts)


def test_nothing_to_say_makes_no_part() -> None:
    assert split(" \n ") == []


def test_cuts_no_emphasis_and_no_link() -> None:
    for mark in ("**{}**", "`{}`", "[{}](https://a.example/)"):
        inside = mark.format("word " * 9 + "word")
        parts = split("start " * 9 + inside + " end" * 20, 80)
        assert any(inside in part for part in parts), parts


def test_cut_code_is_closed_and_opened_again() -> None:
    code = "".join(f"print({number})\n" for number in range(900))
    parts = split(f"Here:\n\n```python\n{code}```\n\n**Done.**")
    shown = [render(part) for part in parts]
    assert len(parts) > 2
    assert [one.entities[0].language for one in shown] == ["python"] * len(parts)
    assert all(units(one.text) <= MAX_UNITS for one in shown)
    lines = [line for one in shown for line in one.text.splitlines() if line.startswith("print")]
    assert lines == code.splitlines(), "no line is cut"
    assert spans(shown[-1])[-1] == ("bold", "Done.")


def test_code_that_fits_a_message_is_not_cut() -> None:
    code = "```sh\n" + "ls -l\n" * 10 + "```"
    assert split("word " * 12 + "\n\n" + code, 100)[1] == code


def test_cuts_no_character_of_several_code_points() -> None:
    for character in ("👩‍👩‍👧‍👦", "🇩🇪", "👍🏽", "e\u0301"):
        for offset in range(20):
            parts = split("a" * offset + character * 40, 60)
            assert all(part.strip("a").replace(character, "") == "" for part in parts), parts


PIECES = (
    *(
        "word ",
        "中文，",
        "句子。",
        "😀",
        "🇩🇪",
        "\n",
        "\n\n",
        "**bold** ",
        "**注意：**",
        "`code x` ",
        "***",
        "_",
        "*",
        "`",
    ),
    *(
        "[link](https://a.example/x_y) ",
        "- item\n",
        "  - nested\n",
        "1. one\n",
        "# Head\n",
        "> quote\n",
        "```\n",
    ),
    *(
        "```py\nx = '**'\n```\n",
        "| a | b |\n|--|--|\n| 1 | 2 |\n",
        "~~",
        "\\",
        "<b>",
        "&amp;",
        "    ",
        "\r\n",
        "](",
    ),
)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_a_model_writes_goes_out(seed: int) -> None:
    chance = random.Random(seed)
    text = "".join(
        chance.choice(PIECES) * chance.choice([1, 1, 3, 20]) for _ in range(chance.randrange(5, 60))
    )
    limit = chance.choice([100, 400, MAX_UNITS])
    parts = split(text, limit)
    assert parts == split(text, limit)
    assert first_part(text, limit) == (parts[0] if parts else "")
    assert bool(parts) is bool(text.strip())
    for part in parts:
        shown = render(part)
        size = units(shown.text)
        assert 0 < size <= limit
        assert shown.text == shown.text.strip()
        assert all(0 <= e.offset < e.offset + e.length <= size for e in shown.entities)
