"""What goes out to Telegram, against the emulated Bot API: replies, drafts, buttons, and its refusals."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from assistant.channels.base import Part, PermanentError, TransientError
from assistant.channels.telegram.client import TelegramClient
from assistant.channels.telegram.pace import Pace
from assistant.channels.telegram.ratings import Click
from tests.emulators.config import TelegramConfig
from tests.emulators.server import Server
from tests.emulators.telegram import make_telegram_app

CONFIG = TelegramConfig(
    "12345:AAtest", "secret_1", chat_rate=1000, chat_burst=1000, group_rate=1000, total_rate=1000
)
GROUP = "-100"


class FreePace(Pace):
    """Counts nothing: the emulated server's limits are tried elsewhere."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)

    def take(self, chat: str, *, draft: bool = False) -> Any:
        self._chats.clear()
        self._second.clear()
        return super().take(chat, draft=draft)


class Platform:
    """The emulated Bot API and a client for it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = TelegramClient(url, CONFIG.bot_token, FreePace())

    def sent(self) -> list[dict[str, Any]]:
        return list(httpx.get(f"{self.url}/_sent", trust_env=False).json())

    def order(self, page: str, **document: Any) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}/_{page}", json=document, trust_env=False)
        answer.raise_for_status()
        return dict(answer.json())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(make_telegram_app(CONFIG), "127.0.0.1", 0) as server:
        yield server


@pytest.fixture
def platform(server: Server) -> Iterator[Platform]:
    made = Platform(server.url)
    made.order("reset")
    yield made
    made.client.stop()


def part(text: str, chat: str = "7", **more: Any) -> Part:
    return Part(chat, text, more.pop("reply_to", ""), "key", **more)


def shown(sent: dict[str, Any]) -> tuple[str, list[tuple[str, int, int]]]:
    return sent["text"], [(e["type"], e["offset"], e["length"]) for e in sent["entities"]]


def test_reply_is_formatted_and_has_its_buttons(platform: Platform) -> None:
    platform.client.send(part("😀 **bold** <b>", reply_to="3", rateable=12))
    (sent,) = platform.sent()
    assert (sent["chat"], sent["reply_to"], sent["parse_mode"]) == (7, 3, "")
    assert shown(sent) == ("😀 bold <b>", [("bold", 3, 4)])
    assert [button["callback_data"] for button in sent["keyboard"][0]] == ["rate:12:1", "rate:12:-1"]


def test_topic(platform: Platform) -> None:
    platform.client.send(part("a", "-100/5"))
    platform.order("chat", chat=-100, deleted_topic=5)
    platform.client.send(part("b", "-100/5"))
    assert [(s["text"], s["thread"]) for s in platform.sent()] == [("a", 5), ("b", None)]


def test_refused_formatting_goes_out_plain(platform: Platform) -> None:
    refusal = {"status": 400, "message": "Bad Request: can't parse entities: it is Monday"}
    platform.order("fail", match="sendMessage", **refusal)
    platform.client.send(part("a **b**"))
    draft = platform.client.open_draft(part("first **words**"))
    platform.order("fail", match="editMessageText", **refusal)
    platform.client.send(part("all **words**", draft=draft))
    assert [shown(sent) for sent in platform.sent()] == [("a b", []), ("all words", [])]


def test_draft_grows_into_the_reply(platform: Platform) -> None:
    draft = platform.client.open_draft(part("The begin", reply_to="3"))
    platform.client.change_draft("7", draft, "The beginning **of")
    platform.client.change_draft("7", draft, "The beginning **of** it")
    (sent,) = platform.sent()
    assert (shown(sent), sent["keyboard"]) == (("The beginning of it", [("bold", 14, 2)]), None)
    platform.client.send(part("The beginning and *the end*.", draft=draft, rateable=4))
    (sent,) = platform.sent()
    assert (sent["text"], sent["reply_to"], sent["edits"]) == ("The beginning and the end.", 3, 3)
    assert sent["keyboard"]


def test_long_draft_shows_its_first_message_and_is_not_changed_for_nothing(platform: Platform) -> None:
    text = "word " * 900
    draft = platform.client.open_draft(part(text))
    first = platform.client.split(text)[0]
    assert platform.sent()[0]["text"] == first
    platform.client.change_draft("7", draft, text + "more " * 10)
    edits = platform.sent()[0]["edits"]
    platform.client.change_draft("7", draft, text + "more " * 20)
    assert platform.sent()[0]["edits"] == edits


def test_final_text_that_is_shown_already(platform: Platform) -> None:
    draft = platform.client.open_draft(part("All of it."))
    for _ in range(2):  # the second is a repetition after a lost answer
        platform.client.send(part("All of it.", draft=draft))
    (sent,) = platform.sent()
    assert sent["text"] == "All of it."


@pytest.mark.parametrize("fate", ["deleted", "too old", "strange", "never there", "no number"])
def test_draft_that_is_gone_is_replaced_by_a_new_message(platform: Platform, fate: str) -> None:
    draft = platform.client.open_draft(part("Some words"))
    if fate == "deleted":
        platform.order("delete", chat=7, message_id=int(draft))
    elif fate == "strange":
        platform.order("fail", match="editMessageText", status=400, message="Bad Request: it is Monday")
    elif fate == "too old":
        platform.order(
            "fail", match="editMessageText", status=400, message="Bad Request: message can't be edited"
        )
    else:
        draft = {"never there": "999999", "no number": "x"}[fate]
    platform.client.send(part("All words", reply_to="3", draft=draft, rateable=1))
    last = platform.sent()[-1]
    assert (last["text"], last["reply_to"], bool(last["keyboard"])) == ("All words", 3, True)
    assert len(platform.sent()) == 2


def test_lost_answer_to_a_draft_is_no_reason_for_another(platform: Platform) -> None:
    platform.order("fail", match="sendMessage", cut="after")
    with pytest.raises(PermanentError):
        platform.client.open_draft(part("Some words"))
    platform.order("fail", match="sendMessage", status=429, retry_after=3)
    with pytest.raises(TransientError) as caught:
        platform.client.open_draft(part("Some words", "8"))
    assert caught.value.retry_after == 3


def test_lost_answer_to_an_edit_is_made_good_by_another(platform: Platform) -> None:
    draft = platform.client.open_draft(part("Some words"))
    platform.order("fail", match="editMessageText", cut="after")
    with pytest.raises(TransientError):
        platform.client.send(part("All words", draft=draft))
    platform.client.send(part("All words", draft=draft))
    assert [sent["text"] for sent in platform.sent()] == ["All words"]


def test_group_that_became_a_supergroup(platform: Platform) -> None:
    draft = platform.client.open_draft(part("Some words", "-5"))
    platform.order("chat", chat=-5, moved_to=-1005)
    platform.client.send(part("a", "-5"))
    platform.client.send(part("b", "-5", draft=draft))
    assert [(s["chat"], s["text"]) for s in platform.sent()[1:]] == [(-1005, "a"), (-1005, "b")]


@pytest.mark.parametrize(
    ("state", "reason"),
    [("blocked", "bot was blocked by the user"), ("unknown", "chat not found"), ("kicked", "bot was kicked")],
)
def test_a_closed_door_is_permanent_and_says_why(platform: Platform, state: str, reason: str) -> None:
    draft = platform.client.open_draft(part("Some words"))
    platform.order("chat", chat=7, state=state)
    for call in (
        lambda: platform.client.send(part("a")),
        lambda: platform.client.send(part("a", draft=draft)),
        lambda: platform.client.open_draft(part("a")),
        lambda: platform.client.change_draft("7", draft, "Some other words"),
        lambda: platform.client.show_typing("7"),
    ):
        with pytest.raises(PermanentError) as caught:
            call()
        assert caught.value.reason == reason


def test_reason_never_quotes_the_message(platform: Platform) -> None:
    platform.order("fail", match="sendMessage", status=400, message='Bad Request: strange "my secret"')
    with pytest.raises(PermanentError) as caught:
        platform.client.send(part("my secret"))
    assert caught.value.reason == "BadRequest"


def test_after_a_429_drafts_and_typing_keep_quiet(platform: Platform) -> None:
    draft = platform.client.open_draft(part("Some words"))
    platform.order("fail", match="sendMessage", status=429, message="Too Many Requests", retry_after=60)
    with pytest.raises(TransientError) as caught:
        platform.client.send(part("a"))
    assert caught.value.retry_after == 60
    platform.order("fail", match="sendChatAction", status=500)  # would be met
    platform.client.show_typing("7")
    with pytest.raises(TransientError):
        platform.client.change_draft("7", draft, "Some more words")
    with pytest.raises(TransientError):
        platform.client.open_draft(part("Some words", "8"))
    platform.client.send(part("to another chat", "8"))
    assert [sent["text"] for sent in platform.sent()] == ["Some words", "to another chat"]


def test_click_is_answered_and_shown(platform: Platform) -> None:
    platform.client.send(part("Answer", "-100/5", rateable=12))
    (sent,) = platform.sent()
    update = platform.order("click", chat=-100, message_id=sent["message_id"], data="rate:12:-1", user=7)
    query = update["callback_query"]["id"]
    click = Click(query, "-100/5", sent["message_id"], "7", "zh", 12, -1)
    platform.client.answer_click(click, stored=True)
    wait_until(lambda: platform.sent()[0]["keyboard"][0][1]["text"] == "✓ 👎")
    wait_until(lambda: clicks(platform)[0]["answer"] is not None)
    assert "谢谢" in clicks(platform)[0]["answer"]


def test_click_that_is_not_stored_changes_nothing(platform: Platform) -> None:
    platform.client.send(part("Answer", rateable=12))
    (before,) = platform.sent()
    update = platform.order("click", chat=7, message_id=before["message_id"], data="rate:12:1")
    query = update["callback_query"]["id"]
    platform.client.answer_click(Click(query, "7", before["message_id"], "7", "en", 12, 1), stored=False)
    wait_until(lambda: clicks(platform)[0]["answer"] is not None)
    assert "cannot be rated" in clicks(platform)[0]["answer"]
    assert platform.sent() == [before]


def test_menu(platform: Platform) -> None:
    platform.client.set_menu([("help", "what I can do")])
    platform.client.set_menu([("help", "我能做什么")], "zh")
    call = f"{platform.url}/bot{CONFIG.bot_token}/getMyCommands"
    found = [
        httpx.post(call, json=body, trust_env=False).json()["result"]
        for body in ({}, {"language_code": "zh"})
    ]
    assert [menu[0]["description"] for menu in found] == ["what I can do", "我能做什么"]


def clicks(platform: Platform) -> list[dict[str, Any]]:
    return list(httpx.get(f"{platform.url}/_clicks", trust_env=False).json())


def wait_until(condition: Any) -> None:
    """Wait for something that happens in the background."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
