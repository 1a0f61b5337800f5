"""Telegram: splitting, updates, the setup that never gives up."""

from typing import Any

import pytest

from assistant.channels.base import TransientError
from assistant.channels.telegram.channel import TelegramChannel
from assistant.channels.telegram.split import MAX_UNITS, split, units
from assistant.channels.telegram.updates import MalformedUpdateError, parse, read_message
from assistant.messages import Kind


@pytest.mark.parametrize("text", ["a" * 10_000, "字" * 9000, "😀" * 5000, "a😀字 \n" * 3000, "word " * 4000])
def test_parts_fit_and_lose_nothing(text: str) -> None:
    parts = split(text)
    assert all(0 < len(p.encode("utf-16-le")) // 2 <= MAX_UNITS for p in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert split(text) == parts


def test_units_are_utf_16() -> None:
    assert (units("a"), units("字"), units("😀")) == (1, 1, 2)


def test_exactly_the_limit_is_one_part() -> None:
    assert split("a" * MAX_UNITS) == ["a" * MAX_UNITS]
    assert split("😀" * (MAX_UNITS // 2)) == ["😀" * (MAX_UNITS // 2)]
    assert [len(p) for p in split("a" * (MAX_UNITS + 1))] == [MAX_UNITS, 1]


def test_cuts_at_a_line_and_makes_no_empty_part() -> None:
    assert split("x" * 3000 + "\n" + "y" * 3000) == ["x" * 3000, "y" * 3000]
    assert split(" \n ") == []
    assert split("a" + " " * 9000 + "b") == ["a", "b"]


def message(text: str | None = "hi", chat: str = "private", **more: Any) -> dict[str, Any]:
    return {
        "update_id": 1,
        "message": {
            "message_id": 2,
            "date": 1,
            "chat": {"id": -3 if chat != "private" else 3, "type": chat, "title": "t"},
            "from": {"id": 4, "is_bot": False, "first_name": "x"},
            **({"text": text} if text is not None else {}),
            **more,
        },
    }


def read(value: dict[str, Any], name: str = "my_bot") -> Any:
    return read_message(parse(value), name)


def test_private_message() -> None:
    found = read(message(" hello "))
    assert (found.message_id, found.chat, found.text, found.reply_to) == ("3:2", "3", "hello", "2")
    assert found.sender == "4"


@pytest.mark.parametrize(
    ("text", "kind"), [("/start", Kind.START), ("/help@my_bot x", Kind.HELP), ("/x", Kind.CHAT)]
)
def test_commands(text: str, kind: Kind) -> None:
    assert read(message(text)).kind is kind


def mention(text: str, who: str) -> dict[str, Any]:
    return {"entities": [{"type": "mention", "offset": text.index(who), "length": len(who)}]}


def test_groups() -> None:
    assert read(message("hello", "group")) is None
    assert read(message("/help@other_bot", "group")) is None
    assert read(message("/help@my_bot", "supergroup")).kind is Kind.HELP
    text = "say @My_Bot something"
    assert read(message(text, "group", **mention(text, "@My_Bot"))).text == "say  something"
    text = "@my_bot_2 something"
    assert read(message(text, "group", **mention(text, "@my_bot_2"))) is None
    reply = {"message_id": 1, "date": 1, "chat": {"id": -3, "type": "group"}}
    mine = {**reply, "from": {"id": 9, "is_bot": True, "first_name": "b", "username": "my_bot"}}
    assert read(message("and?", "group", reply_to_message=mine)) is not None


def test_topic_is_a_conversation_of_its_own() -> None:
    found = read(message("/help", "supergroup", is_topic_message=True, message_thread_id=8))
    assert found.chat == "-3/8"


def test_picture_and_service_message() -> None:
    photo = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]
    assert read(message(None, photo=photo)).kind is Kind.UNSUPPORTED
    assert read(message(None, delete_chat_photo=True)) is None


@pytest.mark.parametrize("value", [{}, {"update_id": "1"}, {"update_id": 1, "message": 5}])
def test_malformed(value: dict[str, Any]) -> None:
    with pytest.raises(MalformedUpdateError):
        parse(value)


class Client:
    """Fails a number of times before it works."""

    def __init__(self, failures: int) -> None:
        self.failures, self.calls = failures, []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.failures:
            self.failures -= 1
            raise TransientError("down")

    def set_webhook(self, url: str, secret: str) -> None:
        assert (url, secret) == ("https://a.example/hook", "s")
        self._call("set")

    def name(self) -> str:
        self._call("name")
        return "my_bot"


def test_setup_repeats_only_what_failed() -> None:
    client = Client(1)
    channel = TelegramChannel(client, "/hook", "s", "https://a.example")  # type: ignore[arg-type]  # a stand-in
    for _ in range(2):
        channel._set_up()
    assert client.calls == ["set", "set", "name"]
