"""The emulated platform's cards refuse what the platform refuses."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.emulators.feishu import make_feishu_app
from tests.unit.emulators.support import FEISHU, Clock

CARDS = "/open-apis/cardkit/v1/cards"
MESSAGES = "/open-apis/im/v1/messages"
MARKDOWN = {"tag": "markdown", "element_id": "answer", "content": "An"}


def button(value: object = 1) -> dict[str, Any]:
    return {
        "tag": "button",
        "text": {"tag": "plain_text", "content": "good"},
        "behaviors": [{"type": "callback", "value": value}],
    }


def card(*elements: dict[str, Any], **config: Any) -> str:
    value = {"schema": "2.0", "config": config, "body": {"elements": list(elements) or [MARKDOWN]}}
    return json.dumps(value, ensure_ascii=False)


class Platform:
    """Calls of the emulated platform."""

    def __init__(self, client: FlaskClient, clock: Clock) -> None:
        self.client, self.clock = client, clock
        self.sequence = 0

    def call(self, method: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        token = self.client.post(
            "/open-apis/auth/v3/tenant_access_token/internal",
            json={"app_id": FEISHU.app_id, "app_secret": FEISHU.app_secret},
        ).get_json()["tenant_access_token"]
        answer = self.client.open(
            path, method=method, json=body, headers={"Authorization": f"Bearer {token}"}
        ).get_json()
        return answer["code"], answer.get("data", {})

    def create(self, data: str = "") -> str:
        code, data_ = self.call("POST", CARDS, type="card_json", data=data or card(streaming_mode=True))
        assert code == 0
        return str(data_["card_id"])

    def reply(self, content: dict[str, Any] | str, **body: Any) -> tuple[int, dict[str, Any]]:
        text = content if isinstance(content, str) else json.dumps(content)
        return self.call("POST", f"{MESSAGES}/om_q/reply", msg_type="interactive", content=text, **body)

    def show(self, card_id: str, **body: Any) -> tuple[int, dict[str, Any]]:
        return self.reply({"type": "card", "data": {"card_id": card_id}}, **body)

    def stream(self, card_id: str, text: str = "An answer", **body: Any) -> int:
        self.sequence += 1
        path = f"{CARDS}/{card_id}/elements/answer/content"
        return self.call("PUT", path, **{"content": text, "sequence": self.sequence, **body})[0]

    def update(self, card_id: str, data: str) -> int:
        self.sequence += 1
        body = {"card": {"type": "card_json", "data": data}, "sequence": self.sequence}
        return self.call("PUT", f"{CARDS}/{card_id}", **body)[0]

    def settings(self, card_id: str, **config: Any) -> int:
        self.sequence += 1
        body = {"settings": json.dumps({"config": config}), "sequence": self.sequence}
        return self.call("PATCH", f"{CARDS}/{card_id}/settings", **body)[0]

    def sent(self) -> list[dict[str, Any]]:
        return list(self.client.get("/_sent").get_json())


@pytest.fixture
def platform() -> Platform:
    clock = Clock()
    return Platform(make_feishu_app(FEISHU, clock).test_client(), clock)


def test_a_card_that_fills_up(platform: Platform) -> None:
    card_id = platform.create()
    assert platform.sent() == []
    assert platform.show(card_id)[0] == 0
    assert platform.stream(card_id, "An answer") == 0
    (sent,) = platform.sent()
    assert (sent["text"], sent["streaming"], sent["edits"]) == ("An answer", True, 1)
    last = card({**MARKDOWN, "content": "All of it."}, button({"score": 1}), streaming_mode=False)
    assert platform.update(card_id, last) == 0
    (sent,) = platform.sent()
    assert (sent["text"], sent["streaming"], sent["buttons"]) == ("All of it.", False, [{"score": 1}])


def test_an_entity_is_sent_once(platform: Platform) -> None:
    card_id = platform.create()
    assert platform.show(card_id, uuid="one")[0] == 0
    assert platform.show(card_id, uuid="one")[0] == 0, "a repetition"
    assert platform.show(card_id, uuid="two")[0] == 230099
    assert platform.show("7000")[0] == 230099


@pytest.mark.parametrize("sequence", [0, -1, 2**31, "1", None, 1.5])
def test_sequences_that_are_none(platform: Platform, sequence: object) -> None:
    assert platform.stream(platform.create(), sequence=sequence) == 10002


def test_sequences_grow(platform: Platform) -> None:
    card_id = platform.create()
    assert platform.stream(card_id, sequence=5) == 0
    assert platform.stream(card_id, sequence=5) == 300317
    assert platform.stream(card_id, sequence=4) == 300317
    assert platform.stream(card_id, sequence=6) == 0


def test_streaming_ends(platform: Platform) -> None:
    card_id = platform.create()
    platform.clock.now += 599
    assert platform.stream(card_id) == 0
    platform.clock.now += 2
    assert platform.stream(card_id) == 200850
    assert platform.settings(card_id, streaming_mode=True) == 0
    assert platform.stream(card_id) == 0
    assert platform.settings(card_id, streaming_mode=False) == 0
    assert platform.stream(card_id) == 300309


def test_an_entity_lives_14_days(platform: Platform) -> None:
    card_id = platform.create()
    platform.clock.now += 14 * 86400 + 1
    assert platform.update(card_id, card()) == 200750
    assert platform.update("7000", card()) == 200740


def test_ten_changes_a_second(platform: Platform) -> None:
    card_id = platform.create()
    codes = [platform.stream(card_id, f"{number}") for number in range(11)]
    assert codes == [0] * 10 + [99991400]
    platform.clock.now += 1
    assert platform.stream(card_id) == 0


BAD_CARDS: list[tuple[str, int]] = [
    ("", 10002),
    ("no json", 200220),
    ("{}", 300307),
    ('{"body": {"elements": []}}', 300303),
    (card(MARKDOWN, MARKDOWN), 300301),
    (card(update_multi=False), 300302),
    (card({"tag": "markdown", "content": ""}), 200220),
    (card({"tag": "action", "actions": []}), 200220),
    (card({**MARKDOWN, "element_id": "1st"}), 10002),
    (card({"tag": "button", "text": {"tag": "plain_text", "content": "x"}}), 200220),
    (card({**MARKDOWN, "content": "<at id=all></at>"}), 100290),
    (card(*[{"tag": "hr"}] * 201), 300305),
    (card({**MARKDOWN, "content": "中" * 10_240}), 200860),
]


@pytest.mark.parametrize(("data", "code"), BAD_CARDS)
def test_bad_cards(platform: Platform, data: str, code: int) -> None:
    assert platform.call("POST", CARDS, type="card_json", data=data)[0] == code
    assert platform.update(platform.create(), data) == code
    if data.startswith('{"schema"'):
        wanted = 230025 if code == 200860 else 230099
        assert platform.reply(data)[0] == wanted


def test_text_that_no_longer_fits(platform: Platform) -> None:
    card_id = platform.create()
    assert platform.stream(card_id, "中" * 10_240) == 200860
    assert platform.stream(card_id, "") == 10002
    assert platform.stream(card_id, "<at id=all></at>") == 100290


def test_a_card_as_a_message(platform: Platform) -> None:
    code, data = platform.reply(card(MARKDOWN, button(7)))
    assert (code, platform.sent()[0]["text"], platform.sent()[0]["buttons"]) == (0, "An", [7])
    content = card({**MARKDOWN, "content": "changed"})
    for _ in range(5):
        assert platform.call("PATCH", f"{MESSAGES}/{data['message_id']}", content=content)[0] == 0
    assert platform.call("PATCH", f"{MESSAGES}/{data['message_id']}", content=content)[0] == 230020
    assert (platform.sent()[0]["text"], platform.sent()[0]["edits"]) == ("changed", 5)


def test_the_card_in_a_message(platform: Platform) -> None:
    card_id = platform.create()
    _, data = platform.show(card_id)
    _, found = platform.call("POST", f"{CARDS}/id_convert", message_id=data["message_id"])
    assert found == {"card_id": card_id}
    _, data = platform.reply(card())
    _, found = platform.call("POST", f"{CARDS}/id_convert", message_id=data["message_id"])
    assert platform.update(found["card_id"], card({**MARKDOWN, "content": "changed"})) == 0
    assert platform.sent()[1]["text"] == "changed"
    assert platform.call("POST", f"{CARDS}/id_convert", message_id="om_unknown")[0] == 230001


def test_a_text_message_takes_20_edits(platform: Platform) -> None:
    text = {"msg_type": "text", "content": '{"text": "a"}'}
    _, data = platform.call("POST", f"{MESSAGES}/om_q/reply", **text)
    codes = [platform.call("PUT", f"{MESSAGES}/{data['message_id']}", **text)[0] for _ in range(21)]
    assert codes == [0] * 20 + [230072]


def test_a_message_is_withdrawn(platform: Platform) -> None:
    _, data = platform.reply(card())
    assert platform.call("DELETE", f"{MESSAGES}/{data['message_id']}")[0] == 0
    assert platform.sent() == []
    assert platform.call("DELETE", f"{MESSAGES}/{data['message_id']}")[0] == 230011


def test_a_topic(platform: Platform) -> None:
    _, data = platform.reply(card(), reply_in_thread=True)
    assert data["thread_id"].startswith("omt_")
    assert platform.sent()[0]["in_thread"]
    assert platform.reply(card(), reply_in_thread="true")[0] == 99992402


def test_permissions(platform: Platform) -> None:
    platform.client.post("/_withhold", json={"scope": "cardkit:card:write"})
    assert platform.call("POST", CARDS, type="card_json", data=card())[0] == 99991672
    assert platform.reply(card())[0] == 0
    platform.client.post("/_reset")
    platform.create()


def test_rates_are_counted_for_each_api() -> None:
    clock = Clock()
    config = dataclasses.replace(FEISHU, total_rate=3, minute_rate=5)
    platform = Platform(make_feishu_app(config, clock).test_client(), clock)

    def create() -> int:
        return platform.call("POST", CARDS, type="card_json", data=card())[0]

    assert [create() for _ in range(4)] == [0, 0, 0, 99991400]
    assert platform.reply(card())[0] == 0
    clock.now += 1
    assert [create() for _ in range(3)] == [0, 0, 99991400], "five in a minute"
    clock.now += 60
    assert create() == 0
