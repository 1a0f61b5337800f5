"""Answers in cards, against the emulated platform: streamed, finished, and never lost or doubled."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from assistant.channels.base import Part, PermanentError, TransientError
from assistant.channels.feishu import cardkit, client
from assistant.channels.feishu.cardkit import CardReference
from assistant.channels.feishu.client import FeishuClient
from tests.emulators.config import FeishuConfig
from tests.emulators.feishu import make_feishu_app
from tests.emulators.server import Server
from tests.unit.emulators.support import FEISHU

LONG = "An **answer** with <at id=all></at> and 中文.\n\n" * 3


class Platform:
    """The emulated platform, and its pages for tests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.post("/_message", message_id="om_q", chat_id="oc_1")

    def client(self) -> FeishuClient:
        """A client as in a fresh process, which remembers nothing."""
        http = httpx.Client(base_url=self.url, trust_env=False)
        return FeishuClient("", FEISHU.app_id, FEISHU.app_secret, http)

    def post(self, page: str, **body: Any) -> None:
        httpx.post(f"{self.url}{page}", json=body, trust_env=False).raise_for_status()

    def fail(self, match: str, **fault: Any) -> None:
        self.post("/_fail", match=match, **fault)

    def sent(self) -> list[dict[str, Any]]:
        return list(httpx.get(f"{self.url}/_sent", trust_env=False).json())

    def only(self) -> dict[str, Any]:
        (sent,) = self.sent()
        return sent


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Server(make_feishu_app(FEISHU), "127.0.0.1", 0) as server:
        yield Platform(server.url)


def part(text: str = "An answer.", **fields: Any) -> Part:
    return Part(**{"chat": "oc_1", "reply_to": "om_q", "key": "k" * 32, "text": text, **fields})


def finished(platform: Platform, text: str) -> None:
    sent = platform.only()
    assert (sent["text"], sent["reply_to"], sent["chat"]) == (text, "om_q", "oc_1")
    assert not sent["streaming"]
    assert [button["score"] for button in sent["buttons"]] == [1, -1]
    assert {button["answer"] for button in sent["buttons"]} == {7}


def test_a_streamed_answer(platform: Platform) -> None:
    client = platform.client()
    draft = client.open_draft(part("An"))
    sent = platform.only()
    assert (sent["text"], sent["streaming"], sent["buttons"]) == ("An", True, [])
    for text in ("An answer", "An answer that grows"):
        client.change_draft("oc_1", draft, text)
        assert platform.only()["text"] == text
    client.send(part("An answer that grows and ends.", draft=draft, rateable=7))
    finished(platform, "An answer that grows and ends.")
    assert len(draft) <= 255


def test_an_answer_without_a_draft(platform: Platform) -> None:
    platform.client().send(part("An answer.", rateable=7))
    finished(platform, "An answer.")
    assert platform.only()["kind"] == "interactive"


def test_words_of_the_assistant_itself_are_text(platform: Platform) -> None:
    platform.client().send(part("Hello! /help"))
    sent = platform.only()
    assert (sent["kind"], sent["text"], sent["buttons"]) == ("text", "Hello! /help", [])


def test_nobody_is_notified_by_an_answer(platform: Platform) -> None:
    client = platform.client()
    draft = client.open_draft(part(LONG))
    client.change_draft("oc_1", draft, LONG + "!")
    client.send(part(LONG, draft=draft, rateable=7))
    assert "&#60;at id=all>" in platform.only()["text"]


def test_a_topic_is_answered_in_it(platform: Platform) -> None:
    client = platform.client()
    place = "oc_1/om_root"
    platform.post("/_message", message_id="om_root", chat_id="oc_1")
    draft = client.open_draft(part("An", chat=place))
    client.send(part("An answer.", chat=place, draft=draft, rateable=7))
    client.send(part("More of it.", chat=place, reply_to="", key="other"))
    first, second = platform.sent()
    assert first["in_thread"] and second["in_thread"]
    assert (first["reply_to"], second["reply_to"]) == ("om_q", "om_root")
    assert {button["root"] for button in first["buttons"]} == {"om_root"}


def test_without_a_message_to_reply_to(platform: Platform) -> None:
    platform.client().send(part("Hello", reply_to=""))
    assert (platform.only()["chat"], platform.only()["reply_to"]) == ("oc_1", None)


# What a kill leaves behind. A client of its own stands for the next process.


def test_killed_between_sending_the_card_and_remembering_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.client().open_draft(part("An"))
    later(monkeypatch)
    after = platform.client()
    draft = after.open_draft(part("Another beginning"))
    after.change_draft("oc_1", draft, "Another beginning goes on")
    assert platform.only()["text"] == "Another beginning goes on"
    after.send(part("All of it.", draft=draft, rateable=7))
    finished(platform, "All of it.")


def test_the_card_was_sent_but_its_answer_lost(platform: Platform) -> None:
    client = platform.client()
    platform.fail("/reply", cut="after")
    with pytest.raises(TransientError):
        client.open_draft(part("An"))
    # The answer ended before another try: the sender knows of no draft, but uses its key.
    client.send(part("All of it.", rateable=7))
    finished(platform, "All of it.")


def test_another_process_sends_what_has_a_draft_nobody_remembers(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.client().open_draft(part("An"))
    later(monkeypatch)
    platform.client().send(part("All of it.", rateable=7))
    finished(platform, "All of it.")


def test_the_same_without_the_permission_to_look_for_the_card(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.client().open_draft(part("An"))
    platform.post("/_withhold", scope="cardkit:card:read")
    later(monkeypatch)
    for _ in range(2):
        platform.client().send(part("All of it.", rateable=7))
    assert platform.only()["text"] == "All of it."


def test_a_notice_in_the_place_of_an_answer_whose_draft_was_lost(platform: Platform) -> None:
    client = platform.client()
    platform.fail("/reply", cut="after")
    with pytest.raises(TransientError):
        client.open_draft(part("An"))
    client.send(part("Sorry."))
    assert (platform.only()["text"], platform.only()["buttons"]) == ("Sorry.", [])


@pytest.mark.parametrize("rateable", [0, 7])
def test_sent_again_because_the_answer_was_lost(platform: Platform, rateable: int) -> None:
    client = platform.client()
    platform.fail("/reply", cut="after")
    platform.post("/_withhold", scope="cardkit:card:read")
    with pytest.raises(TransientError):
        client.send(part("All of it.", rateable=rateable))
    client.send(part("All of it.", rateable=rateable))
    sent = platform.only()
    assert (sent["text"], sent["kind"]) == ("All of it.", "interactive" if rateable else "text")


def test_sent_again_by_the_next_process(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = platform.client().open_draft(part("An"))
    for _ in range(3):
        later(monkeypatch)
        platform.client().send(part("All of it.", draft=draft, rateable=7))
    finished(platform, "All of it.")


@pytest.mark.parametrize("fault", [{"cut": "before"}, {"cut": "after"}, {"status": 500}, {"code": 300120}])
def test_finishing_fails_and_works_later(platform: Platform, fault: dict[str, Any]) -> None:
    client = platform.client()
    draft = client.open_draft(part("An"))
    platform.fail("/cards/", **fault)
    with pytest.raises(TransientError):
        client.send(part("All of it.", draft=draft, rateable=7))
    client.send(part("All of it.", draft=draft, rateable=7))
    finished(platform, "All of it.")


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what was sent before look old, as it is when another process starts."""
    monkeypatch.setattr(client, "CLOCK_SECONDS", -3600.0)


# Cards that cannot be changed (any more).


def test_a_card_that_is_gone_is_replaced(platform: Platform) -> None:
    client = platform.client()
    draft = client.open_draft(part("An"))
    platform.post("/_forget_cards")
    with pytest.raises(PermanentError):
        client.change_draft("oc_1", draft, "An answer")
    for _ in range(2):
        client.send(part("All of it.", draft=draft, rateable=7))
    assert platform.only()["text"] == "All of it."


def test_a_text_that_is_refused_as_markdown_goes_as_it_is(platform: Platform) -> None:
    client = platform.client()
    draft = client.open_draft(part("An"))
    platform.fail("/cards/", status=400, code=200220)
    client.send(part("All **of** it.", draft=draft, rateable=7))
    finished(platform, "All **of** it.")
    assert platform.only()["kind"] == "interactive"


def test_a_text_that_no_card_takes_is_sent_as_text(platform: Platform) -> None:
    client = platform.client()
    draft = client.open_draft(part("An"))
    platform.fail("/cards/", status=400, code=200220, times=2)
    client.send(part("All **of** it.", draft=draft, rateable=7))
    assert (platform.only()["text"], platform.only()["kind"]) == ("All **of** it.", "text")
    platform.fail("/reply", status=400, code=230099)
    client.send(part("An answer.", key="other", rateable=7))
    assert platform.sent()[1]["kind"] == "text"


def test_streaming_that_is_over_leaves_the_card_to_the_end() -> None:
    config = FeishuConfig(FEISHU.app_id, FEISHU.app_secret, "e", "v", streaming_seconds=0.05)
    with Server(make_feishu_app(config), "127.0.0.1", 0) as server:
        platform = Platform(server.url)
        client = platform.client()
        draft = client.open_draft(part("An"))
        time.sleep(0.1)
        with pytest.raises(PermanentError):
            client.change_draft("oc_1", draft, "An answer")
        client.send(part("All of it.", draft=draft, rateable=7))
        finished(platform, "All of it.")


def test_streaming_is_turned_on_again_before_it_ends(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = platform.client()
    draft = client.open_draft(part("An"))
    monkeypatch.setattr(cardkit, "RENEW_AFTER_SECONDS", -1.0)
    platform.fail("/settings", status=500)
    with pytest.raises(TransientError):
        client.change_draft("oc_1", draft, "An answer")
    client.change_draft("oc_1", draft, "An answer")
    assert platform.only()["text"] == "An answer"


def test_nothing_is_streamed_over_a_finished_answer(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = platform.client()
    draft = client.open_draft(part("An"))
    client.send(part("All of it.", draft=draft, rateable=7))
    with monkeypatch.context() as patch, pytest.raises(PermanentError):
        # Even when it is time to turn streaming on again.
        patch.setattr(cardkit, "RENEW_AFTER_SECONDS", -1.0)
        client.change_draft("oc_1", draft, "An answer")
    with pytest.raises(PermanentError):
        platform.client().change_draft("oc_1", draft, "An answer of a process that sleeps")
    finished(platform, "All of it.")


def test_a_clock_that_went_back_does_not_stop_a_card(platform: Platform) -> None:
    before = platform.client()
    draft = before.open_draft(part("An"))
    reference = CardReference.parse(draft)
    ahead = CardReference(reference.card_id, reference.message_id, reference.created - 100_000)
    before.change_draft("oc_1", str(ahead), "An answer")
    platform.client().send(part("All of it.", draft=draft, rateable=7))
    finished(platform, "All of it.")


@pytest.mark.parametrize("draft", ["x", "7,om_1", "7,om_1,x", ",om_1,5"])
def test_a_reference_that_is_none(platform: Platform, draft: str) -> None:
    with pytest.raises(PermanentError):
        platform.client().change_draft("oc_1", draft, "An answer")


def test_a_draft_shows_what_fits_into_a_card(platform: Platform) -> None:
    client = platform.client()
    draft = client.open_draft(part("An"))
    text = "Ein Satz über Karten. " * 2000
    client.change_draft("oc_1", draft, text)
    shown = platform.only()["text"]
    assert shown.endswith(" …")
    first, *others = client.split(text)
    client.send(part(first, draft=draft))
    for number, other in enumerate(others):
        client.send(part(other, key=f"k-{number}", reply_to=""))
    assert "".join("".join(sent["text"] for sent in platform.sent()).split()) == "".join(text.split())


# Permissions and paces.


def test_without_the_permission_for_cards(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    client = platform.client()
    assert client.draft_seconds("oc_1") > 0
    platform.post("/_withhold", scope="cardkit:card:write")
    with pytest.raises(PermanentError):
        client.open_draft(part("An"))
    assert client.draft_seconds("oc_1") == 0
    client.send(part("All of it.", rateable=7))
    finished(platform, "All of it.")


def test_the_pace_keeps_within_the_limits(platform: Platform) -> None:
    client = platform.client()
    for number in range(40):
        platform.post("/_message", message_id=f"om_{number}", chat_id=f"oc_{number}")
        client.open_draft(part("An", key=f"key-{number}", reply_to=f"om_{number}", chat=f"oc_{number}"))
    pace = client.draft_seconds("oc_1")
    assert 40 / pace * 60 < 1000
    assert pace >= 0.1
