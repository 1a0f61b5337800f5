"""Telegram: updates, clicks, the setup that never gives up."""

from typing import Any

import pytest
from telegram import WebhookInfo

from assistant.channels.base import TransientError
from assistant.channels.telegram.channel import TelegramChannel
from assistant.channels.telegram.client import ALLOWED_UPDATES
from assistant.channels.telegram.ratings import Click, buttons, read_data
from assistant.channels.telegram.updates import MalformedUpdateError, UnknownNameError, parse, read
from assistant.messages import Kind
from tests.emulators.telegram_client import (
    TelegramUser,
    click_update,
    edited_update,
    group,
    mention,
    message_update,
)

PHOTO = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]
FORWARDED = {"type": "hidden_user", "date": 1, "sender_user_name": "somebody"}


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


def update_of(built: dict[str, object], name: str = "my_bot") -> Any:
    return read(parse(built), name)


def test_private_message() -> None:
    found = update_of(message(" hello "))
    assert (found.message_id, found.chat, found.text, found.reply_to) == ("3:2", "3", "hello", "2")
    assert found.sender == "4"


@pytest.mark.parametrize(
    ("text", "kind"), [("/start", Kind.START), ("/help@my_bot x", Kind.HELP), ("/x", Kind.CHAT)]
)
def test_commands(text: str, kind: Kind) -> None:
    assert update_of(message(text)).kind is kind


def test_groups() -> None:
    assert update_of(message("hello", "group")) is None
    assert update_of(message("/help@other_bot", "group")) is None
    assert update_of(message("/help@my_bot", "supergroup")).kind is Kind.HELP
    text = "say @My_Bot something"
    assert update_of(message(text, "group", entities=[mention(text, "@My_Bot")])).text == "say  something"
    text = "@my_bot_2 something"
    assert update_of(message(text, "group", entities=[mention(text, "@my_bot_2")])) is None
    reply = {"message_id": 1, "date": 1, "chat": {"id": -3, "type": "group"}}
    mine = {**reply, "from": {"id": 9, "is_bot": True, "first_name": "b", "username": "my_bot"}}
    assert update_of(message("and?", "group", reply_to_message=mine)) is not None


def test_topic_is_a_conversation_of_its_own() -> None:
    found = update_of(message("/help", "supergroup", is_topic_message=True, message_thread_id=8))
    assert found.chat == "-3/8"


def test_picture_and_service_message() -> None:
    assert update_of(message(None, photo=PHOTO)).kind is Kind.UNSUPPORTED
    assert update_of(message(None, delete_chat_photo=True)) is None


@pytest.mark.parametrize("value", [{}, {"update_id": "1"}, {"update_id": 1, "message": 5}])
def test_malformed(value: dict[str, Any]) -> None:
    with pytest.raises(MalformedUpdateError):
        parse(value)


def test_language_of_the_person() -> None:
    for code, language in (("zh-hans", "zh"), ("zh", "zh"), ("en-GB", "en"), ("de", ""), ("", "")):
        user = TelegramUser(language_code=code)
        assert update_of(message_update("hi", user=user)).language == language


def test_edited_message() -> None:
    first = message_update("helo", user=TelegramUser(7), message_id=3)
    found = update_of(edited_update(first, "hello", edit_date=1_700_000_000))
    assert (found.message_id, found.edits) == ("7:3:e1700000000", "7:3")
    assert (found.text, found.reply_to, found.chat) == ("hello", "3", "7")
    assert update_of(first).edits == ""
    # A position that moves, a picture with another caption.
    message = {**first["message"], "edit_date": 5, "text": None, "caption": "c"}  # type: ignore[dict-item]
    assert update_of({"update_id": 1, "edited_message": message}) is None


def test_in_a_group_only_what_is_meant_for_the_bot() -> None:
    chat, user = group(-100), TelegramUser()

    def found(words: str = "", **more: Any) -> Any:
        update: Any = message_update(words, user=user, chat=chat)
        update["message"].update(more)
        return update_of(update)

    text = "😀 @My_Bot, what is it?"
    assert found(text, entities=[mention(text, "@My_Bot")]).text == "😀 , what is it?"
    assert found("😀 what is it?") is None
    caption = {"photo": PHOTO, "text": None, "caption": "@my_bot see"}
    assert found(**caption, caption_entities=[mention("@my_bot see", "@my_bot")]).kind is Kind.UNSUPPORTED
    assert found(photo=PHOTO, text=None) is None
    edited = edited_update(message_update("hi", user=user, chat=chat), "@my_bot hi")
    assert update_of(edited) is None, "an edit that mentions nobody by an entity"


def test_topic() -> None:
    topic = {"message_thread_id": 5, "is_topic_message": True}
    opened = {
        "message_id": 5,
        "date": 1,
        "chat": group(-100),
        "forum_topic_created": {"name": "t", "icon_color": 1},
    }
    opened["from"] = {"id": 9, "is_bot": True, "first_name": "b", "username": "my_bot"}
    chat = group(-100, forum=True)
    text = "@my_bot hello"
    update = message_update(
        text, user=TelegramUser(), chat=chat, entities=[mention(text, "@my_bot")], **topic
    )
    assert update_of(update).chat == "-100/5"
    # Telegram lets each message in a topic answer the topic's beginning.
    update = message_update("hello", user=TelegramUser(), chat=chat, reply_to_message=opened, **topic)
    assert update_of(update) is None


def test_who_is_not_answered() -> None:
    text = "@my_bot hello"
    entities = [mention(text, "@my_bot")]

    def by(person: dict[str, Any], **more: Any) -> Any:
        update = message_update(text, user=TelegramUser(), chat=group(-100), entities=entities, **more)
        return update_of({**update, "message": {**update["message"], "from": person}})  # type: ignore[dict-item]

    bot = {"id": 8, "is_bot": True, "first_name": "b"}
    channel = {"id": -200, "type": "channel", "title": "c"}
    assert by(bot) is None
    telegram = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
    assert by(telegram, sender_chat=channel, is_automatic_forward=True) is None
    # An administrator who writes in the group's name appears as a bot, and is a person.
    assert by(bot, sender_chat={**group(-100)}).sender == "-100"
    post = {"update_id": 1, "channel_post": {"message_id": 1, "date": 1, "chat": channel, "text": text}}
    assert update_of(post) is None
    assert by({"id": 9, "is_bot": False, "first_name": "x"}, forward_origin=FORWARDED).sender == "9"


def test_group_waits_for_the_bots_name() -> None:
    update = message_update("hi", user=TelegramUser(), chat=group(-100))
    with pytest.raises(UnknownNameError):
        update_of(update, "")
    assert update_of(message_update("hi", user=TelegramUser()), "").text == "hi"


def test_click() -> None:
    chat = group(-100, forum=True)
    sent = {"message_id": 6, "date": 1, "chat": chat, "message_thread_id": 5, "is_topic_message": True}
    user = TelegramUser(7, language_code="zh-hans")
    click = update_of(click_update("rate:12:-1", sent, user=user, query_id="q"))
    assert click == Click("q", "-100/5", 6, "7", "zh", 12, -1)
    for data in ("rate:12:2", "rate::1", "rate:1x:1", "other", "", f"rate:{10**30}:1", "rate:-1:1"):
        assert update_of(click_update(data, sent, user=user, query_id="q")).number == 0, data
    old = {"message_id": 6, "date": 0, "chat": {"id": 7, "type": "private"}}
    assert update_of(click_update("rate:1:1", old, user=user, query_id="q")).chat == "7"


def test_buttons_carry_what_a_click_reads() -> None:
    markup = buttons(2**63 - 1, 1)
    assert markup is not None and buttons(0) is None
    (row,) = markup.inline_keyboard
    assert [read_data(str(button.callback_data)) for button in row] == [(2**63 - 1, 1), (2**63 - 1, -1)]
    assert all(len(str(button.callback_data).encode()) <= 64 for button in row)
    assert [button.text for button in row] == ["✓ 👍", "👎"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": 5},
        {"message_id": "5"},
        {"message_id": 10**400},
        {"message_id": True},
        {"chat": {"id": "7", "type": "private"}},
        {"from": {"id": 10**30, "is_bot": False, "first_name": "x"}},
        {"from": {"id": 7, "is_bot": False, "first_name": "x", "language_code": 5}},
        {"is_topic_message": True, "message_thread_id": "x"},
    ],
)
def test_wrong_types_are_malformed(wrong: dict[str, Any]) -> None:
    update: Any = message_update("hi", user=TelegramUser())
    update["message"].update(wrong)
    with pytest.raises(MalformedUpdateError):
        update_of(update)


def test_broken_characters_do_no_harm() -> None:
    for text in ("@my_bot \ud83d", "\ud83d @my_bot"):
        entities = [{"type": "mention", "offset": text.index("@"), "length": 7}]
        update = message_update(text, user=TelegramUser(), chat=group(-100), entities=entities)
        update_of(update)


class Client:
    """Fails a number of times before it works."""

    def __init__(self, failures: int) -> None:
        self.failures, self.calls, self.menu = failures, [], {}
        self.url = "https://a.example/hook"

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.failures:
            self.failures -= 1
            raise TransientError("down")

    def set_webhook(self, url: str, secret: str) -> None:
        assert (url, secret) == ("https://a.example/hook", "s")
        self._call("set")

    def webhook(self) -> WebhookInfo:
        self._call("look")
        return WebhookInfo(self.url, False, 0, allowed_updates=list(ALLOWED_UPDATES))

    def name(self) -> str:
        self._call("name")
        return "my_bot"

    def set_menu(self, commands: list[tuple[str, str]], language: str = "") -> None:
        self._call("menu")
        self.menu[language] = commands


def channel_of(client: Client) -> TelegramChannel:
    return TelegramChannel(client, "/hook", "s", "https://a.example")  # type: ignore[arg-type]  # a stand-in


def test_setup_repeats_only_what_failed() -> None:
    client = Client(1)
    channel = channel_of(client)
    for _ in range(2):
        channel._set_up()
    assert client.calls == ["name", "name", "set", "look", "menu", "menu"]
    assert [name for name, _ in client.menu[""]] == [name for name, _ in client.menu["zh"]] != []
    assert client.menu[""] != client.menu["zh"]


def test_another_programs_webhook_is_replaced() -> None:
    client = Client(0)
    channel, client.url = channel_of(client), "https://other.example/hook"
    channel._set_up()
    client.url = "https://a.example/hook"
    channel._set_up()
    assert client.calls == ["name", "set", "look", "set", "look", "menu", "menu"]
