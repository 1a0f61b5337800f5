"""Feishu with the assistant as a process: streamed cards, ratings, topics, and the long connection."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.emulators.feishu_client import FeishuUser, media, post_card_action, rich_text
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import APP_ID, SECRETS, Assistant, until
from tests.integration.app.story import STORY, told_by

LONG = {"ASSISTANT_MAX_TOKENS": "200"}


@pytest.fixture(scope="module")
def assistant(make_assistant: Maker, platforms: Platforms) -> Assistant:
    made = make_assistant({**platforms.settings(), **LONG})
    made.start()
    return made


@pytest.fixture(autouse=True)
def clean(platforms: Platforms) -> None:
    platforms.reset()


def post(platforms: Platforms, page: str, **body: Any) -> Any:
    response = httpx.post(f"{platforms.feishu}{page}", json=body, trust_env=False)
    response.raise_for_status()
    return response.json()


def ask(platforms: Platforms, assistant: Assistant, message_id: str, user: FeishuUser, **fields: Any) -> None:
    post(platforms, "/_message", message_id=message_id, chat_id=user.chat_id)
    event = platforms.feishu_event("Tell me a long story.", message_id=message_id, user=user, **fields)
    assert platforms.post_feishu(assistant, event).status_code == 200


def answer(platforms: Platforms, message_id: str) -> dict[str, Any]:
    """The finished answer to a message."""

    def found() -> dict[str, Any] | None:
        sent = [s for s in platforms.sent(platforms.feishu) if s["reply_to"] == message_id]
        assert len(sent) <= 1, "one message for one answer"
        return sent[0] if sent and sent[0]["buttons"] and not sent[0]["streaming"] else None

    done = until("the answer is finished", found)
    assert done is not None
    return done


def stored_answer(assistant: Assistant, message_id: str) -> str:
    rows = assistant.rows(
        f"SELECT o.text FROM outbox o JOIN inbox i ON i.id = o.inbox_id WHERE i.message_id = '{message_id}'"
    )
    return str(rows[0][0])


def words(text: str) -> str:
    return "".join(text.replace("&#60;", "<").replace("&#33;", "!").replace("&#91;", "[").split())


@pytest.fixture
def storyteller(make_assistant: Maker, platforms: Platforms) -> Iterator[Assistant]:
    with told_by(make_assistant, **platforms.settings()) as made:
        yield made


def test_a_streamed_card_ends_with_the_whole_answer(storyteller: Assistant, platforms: Platforms) -> None:
    user = FeishuUser()
    ask(platforms, storyteller, "om_story", user)

    def beginning() -> list[dict[str, Any]]:
        return [s for s in platforms.sent(platforms.feishu) if s["streaming"] and s["edits"]]

    (shown,) = until("the beginning is shown and grows", beginning)
    done = answer(platforms, "om_story")
    assert done["message_id"] == shown["message_id"]
    assert done["kind"] == "interactive"
    whole = words(stored_answer(storyteller, "om_story"))
    assert whole == words("".join(STORY))
    assert words(done["text"]) == whole
    assert len(words(shown["text"])) < len(whole)


def test_a_click_is_stored(assistant: Assistant, platforms: Platforms) -> None:
    user = FeishuUser()
    ask(platforms, assistant, "om_rated", user)
    good, bad = answer(platforms, "om_rated")["buttons"]

    def click(value: object, who: FeishuUser) -> dict[str, Any]:
        token = SECRETS["feishu_verification_token"]
        key = SECRETS["feishu_encrypt_key"]
        return post_card_action(assistant.url, value, key, app_id=APP_ID, verification_token=token, user=who)

    def scores() -> list[int]:
        return [int(row[0]) for row in assistant.rows("SELECT score FROM ratings")]

    elsewhere = FeishuUser(open_id=user.open_id)
    assert click(good, elsewhere)["type"] == "warning"
    assert click({**good, "answer": good["answer"] + 1000}, user)["type"] == "warning"
    assert scores() == []
    assert click(good, user)["type"] == "success"
    assert scores() == [1]
    assert click(bad, user)["type"] == "success"
    assert scores() == [-1]


def test_a_topic_is_answered_in_it_and_has_its_own_context(
    assistant: Assistant, platforms: Platforms
) -> None:
    user = FeishuUser()
    ask(platforms, assistant, "om_root", user, thread_id="omt_1")
    ask(platforms, assistant, "om_more", user, thread_id="omt_1", root_id="om_root", parent_id="om_root")
    ask(platforms, assistant, "om_outside", user)
    for message_id, in_thread in (("om_root", True), ("om_more", True), ("om_outside", False)):
        assert answer(platforms, message_id)["in_thread"] is in_thread
    chats = assistant.rows(f"SELECT chat FROM conversations WHERE chat LIKE '{user.chat_id}%' ORDER BY chat")
    assert [str(row[0]) for row in chats] == [user.chat_id, f"{user.chat_id}/om_root"]


def test_rich_text_is_read_and_pictures_are_not(assistant: Assistant, platforms: Platforms) -> None:
    user = FeishuUser()
    rows: list[list[dict[str, object]]] = [[{"tag": "text", "text": "What is this?"}]]
    ask(platforms, assistant, "om_rich", user, **rich_text(rows, "A question"))
    ask(platforms, assistant, "om_voice", user, **media("audio"))
    answer(platforms, "om_rich")
    turns = assistant.rows(
        "SELECT m.content FROM messages m JOIN inbox i ON i.id = m.inbox_id "
        "WHERE i.message_id = 'om_rich' AND m.role = 'user'"
    )
    assert turns[0][0] == "A question\nWhat is this?"
    reply = until(
        "voice is answered",
        lambda: [s for s in platforms.sent(platforms.feishu) if s["reply_to"] == "om_voice"],
    )
    assert (reply[0]["kind"], reply[0]["buttons"]) == ("text", [])


def test_killed_while_it_streams(storyteller: Assistant, platforms: Platforms) -> None:
    user = FeishuUser()
    ask(platforms, storyteller, "om_killed", user)
    until("the beginning is shown", lambda: [s for s in platforms.sent(platforms.feishu) if s["streaming"]])
    storyteller.kill()
    storyteller.start()
    done = answer(platforms, "om_killed")
    assert words(done["text"]) == words("".join(STORY))


def test_the_long_connection(make_assistant: Maker, platforms: Platforms) -> None:
    settings = {**platforms.settings(), "ASSISTANT_FEISHU_MODE": "long_connection"}
    connected = make_assistant(settings)
    for name in ("feishu_encrypt_key", "feishu_verification_token"):
        (connected.directory / "secrets" / name).unlink()
    connected.start()
    page = f"{platforms.feishu}/_connections"
    until("the connection is open", lambda: httpx.get(page, trust_env=False).json()["open"])
    user = FeishuUser()
    post(platforms, "/_message", message_id="om_over", chat_id=user.chat_id)
    event = platforms.feishu_event("/help", message_id="om_over", user=user)
    assert post(platforms, "/_push", event=event)["code"] == 200
    assert connected.rows("SELECT count(*) FROM inbox WHERE message_id = 'om_over'")[0][0] == 1
    assert post(platforms, "/_push", event=event, parts=3)["code"] == 200
    sent = platforms.wait_for(platforms.feishu, 1)
    assert [s["reply_to"] for s in sent] == ["om_over"]
    assert connected.post("/feishu/webhook", json={}).status_code == 404
    assert connected.stop() == 0
    until("the connection is closed", lambda: not httpx.get(page, trust_env=False).json()["open"])
