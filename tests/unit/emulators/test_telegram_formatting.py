"""The emulated Bot API reads formatting as the Bot API does, and refuses what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.emulators.telegram import make_telegram_app
from tests.emulators.telegram_entities import Formatted, given_entities
from tests.emulators.telegram_html import parse_html
from tests.emulators.telegram_markdown import parse_markdown
from tests.emulators.telegram_parameters import TelegramError
from tests.unit.emulators.support import TELEGRAM

BOT = f"/bot{TELEGRAM.bot_token}"


def brief(shown: Formatted) -> tuple[str, list[tuple[object, ...]]]:
    return shown.text, [(e["type"], e["offset"], e["length"]) for e in shown.entities]


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("<b>a</b> &lt;&amp;&quot;&#33; &copy;", 'a <&"! &copy;', [("bold", 0, 1)]),
        ("😀<i>b<u>c</u></i>", "😀bc", [("underline", 3, 1), ("italic", 2, 2)]),
        ('<a href="https://a.example/?x=1&amp;y">l</a>', "l", [("text_link", 0, 1)]),
        ('<pre><code class="language-py">x</code></pre>', "x", [("pre", 0, 1)]),
        ('<span class="tg-spoiler">s</span>', "s", [("spoiler", 0, 1)]),
        ("<blockquote expandable>q</blockquote>", "q", [("expandable_blockquote", 0, 1)]),
    ],
)
def test_html(source: str, text: str, entities: list[tuple[object, ...]]) -> None:
    assert brief(parse_html(source)) == (text, entities)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("a < b", "Unclosed start tag at byte offset 2"),
        ("é <x>", 'Unsupported start tag "x" at byte offset 3'),
        ("<span>a</span>", 'Unsupported start tag "span"'),
        ("</b>", "Unexpected end tag at byte offset 0"),
        ("<b><i>a</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
    ],
)
def test_bad_html(source: str, problem: str) -> None:
    with pytest.raises(TelegramError) as caught:
        parse_html(source)
    assert str(caught.value).startswith(f"Bad Request: can't parse entities: {problem}")


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        (r"*a* _b_ __c__ ~d~ ||e||", "a b c d e", "bold italic underline strikethrough spoiler"),
        (r"😀`a\`*b`", "😀a`*b", "code"),
        ("```py\nx = 1```", "x = 1", "pre"),
        ("```\nx```", "x", "pre"),
        (r"[a\]b](https://a.example/\))", "a]b", "text_link"),
        (">q\n>r\nend", "q\nr\nend", "blockquote"),
        (r"\*a\. 1\-2", "*a. 1-2", ""),
    ],
)
def test_markdown(source: str, text: str, entities: str) -> None:
    shown = parse_markdown(source)
    assert (shown.text, " ".join(str(e["type"]) for e in shown.entities)) == (text, entities)


def test_markdown_keeps_address_and_language() -> None:
    assert parse_markdown(r"[a](https://a.example/\))").entities[0]["url"] == "https://a.example/)"
    assert parse_markdown("```py\nx```").entities[0]["language"] == "py"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("a.", "Character '.' is reserved and must be escaped"),
        ("1-2", "Character '-' is reserved"),
        ("a > b", "Character '>' is reserved"),
        ("a | b", "Character '|' is reserved"),
        ("*a", "Can't find end of Bold entity at byte offset 0"),
        ("é _a", "Can't find end of Italic entity at byte offset 3"),
        ("*a _b* c_", "Can't find end of"),
        ("`a", "Can't find end of Code entity"),
        ("[a](b", "Can't find end of a URL"),
        ("[a", "Can't find end of TextUrl entity"),
    ],
)
def test_bad_markdown(source: str, problem: str) -> None:
    with pytest.raises(TelegramError) as caught:
        parse_markdown(source)
    assert str(caught.value).startswith(f"Bad Request: can't parse entities: {problem}")


def entity(kind: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **more}


def test_given_entities() -> None:
    given = [entity("italic", 3, 1), entity("bold", 2, 4)]
    for value in (given, json.dumps(given)):
        assert brief(given_entities("😀abcd", value))[1] == [("bold", 2, 4), ("italic", 3, 1)]
    code = [entity("bold", 0, 4), entity("code", 1, 2)]
    assert brief(given_entities("abcd", code))[1] == [("code", 1, 2)], "code lies in nothing else"
    bad_link = [entity("text_link", 0, 1, url="javascript:x")]
    assert brief(given_entities("abcd", bad_link))[1] == []


@pytest.mark.parametrize(
    "value",
    [
        "no JSON",
        {"type": "bold"},
        ["bold"],
        [{"type": "bold", "offset": "0", "length": 1}],
        [entity("loud", 0, 1)],
        [entity("bold", 0, 7)],
        [entity("bold", -1, 2)],
        [entity("bold", 0, 0)],
        [entity("bold", 1, 2)],
    ],
)
def test_bad_given_entities(value: object) -> None:
    with pytest.raises(TelegramError) as caught:
        given_entities("😀abcd", value)
    assert str(caught.value).startswith("Bad Request: can't parse entities:")


def test_length_is_counted_in_utf_16_after_parsing() -> None:
    client: FlaskClient = make_telegram_app(TELEGRAM).test_client()

    def send(chat: int, **parameters: Any) -> int:
        return client.post(f"{BOT}/sendMessage", json={"chat_id": chat, **parameters}).status_code

    assert send(1, text="😀" * 2048) == 200
    assert send(2, text="😀" * 2048 + "a") == 400
    assert send(3, text=f"<b>{'a' * 4095}</b>&lt;", parse_mode="HTML") == 200
    assert send(4, text=f" {'a' * 4096}\n") == 200, "white space at the ends is taken away first"
    sent = client.get("/_sent").get_json()
    assert [(one["parse_mode"], len(one["entities"])) for one in sent] == [("", 0), ("HTML", 1), ("", 0)]


def test_white_space_at_the_ends_moves_entities() -> None:
    shown = given_entities("  ab  ", [entity("bold", 1, 5)]).stripped()
    assert brief(shown) == ("ab", [("bold", 0, 2)])
