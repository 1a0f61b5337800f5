from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from alert_relay import feishu, telegram
from alert_relay.alerts import BadPayload, parse
from alert_relay.config import Config, FeishuChat, TelegramChat
from alert_relay.errors import DeliveryError, Limited, Misconfigured, Refused, Unreachable
from alert_relay.messages import Message, Words, fit
from alert_relay.outbox import Outbox
from alert_relay.sender import pause_seconds
from alert_relay.watchdog import Watchdog

NOW = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def config(tmp_path: Path, **values: Any) -> Config:
    return Config(tmp_path / "relay.db", (FeishuChat("one", "https://x/y"),), **values)


def body(**values: Any) -> dict[str, Any]:
    alert = {
        "status": "firing",
        "labels": {"alertname": "A", "instance": "h"},
        "annotations": {},
        "startsAt": "2026-01-31T12:00:00.123456789+08:00",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "f1",
        **values,
    }
    return {"version": "4", "groupKey": "g", "alerts": [alert]}


def test_times_with_nine_digits_and_an_offset_are_read() -> None:
    assert parse(body()).alerts[0].starts_at == datetime(2026, 1, 31, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize("value", ["2026-02-30T00:00:00Z", "yesterday", None, 5])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(BadPayload, match="startsAt"):
        parse(body(startsAt=value))


def test_only_news_has_another_key() -> None:
    """The end of a firing alert is a guess of Alertmanager's; a new start, state or group is news."""
    first = parse(body()).key()
    assert parse(body(endsAt="2026-01-31T13:00:00Z")).key() == first
    others = [
        parse(body(startsAt="2026-01-31T12:00:01+08:00")).key(),
        parse(body(status="resolved")).key(),
        parse(body(status="resolved", endsAt="2026-01-31T13:00:00Z")).key(),
        parse({**body(), "groupKey": "h"}).key(),
    ]
    assert len({first, *others}) == 5


def test_the_outbox_knows_equal_news_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    outbox = Outbox(tmp_path / "relay.db", ["one", "two"], clock)
    assert outbox.add("k", "a", 100) == 2
    clock.now += 1000
    assert outbox.add("k", "a", 100) == 0  # the first still waits: it says the same
    for chat in ("one", "two"):
        row = outbox.next(chat)
        assert row is not None
        outbox.finish(row, "posted")
    assert outbox.add("k", "a", 2000) == 0
    assert outbox.add("k", "a", 100) == 2  # a reminder


def test_what_waits_for_a_chat_that_is_gone_is_given_up(tmp_path: Path) -> None:
    Outbox(tmp_path / "relay.db", ["one", "old"]).add("k", "a", 100)
    outbox = Outbox(tmp_path / "relay.db", ["one"])
    assert outbox.start() == 1
    assert outbox.waiting()["one"][0] == 1


def test_the_silence_is_said_once_and_so_is_the_return(tmp_path: Path) -> None:
    clock = Clock()
    settings = config(tmp_path)
    outbox = Outbox(settings.database, ["one"], clock)

    def started() -> Watchdog:
        return Watchdog(outbox, Words(settings), 300, lambda: None, clock, clock)

    def said() -> int:
        return outbox.waiting()["one"][0]

    watchdog = started()
    watchdog.beat()
    clock.now += 299
    watchdog.look()
    assert said() == 0
    clock.now += 1
    watchdog.look()
    watchdog.look()
    assert said() == 1
    watchdog = started()  # a restart while it is silent
    clock.now += 1000
    watchdog.look()
    watchdog.ended()
    assert said() == 1
    watchdog.beat()
    watchdog.beat()
    assert said() == 2
    clock.now += 1000  # the host was off: monitoring has half of the time to come up as well
    watchdog = started()
    watchdog.look()
    clock.now += 149
    watchdog.look()
    assert said() == 2
    clock.now += 1
    watchdog.look()
    assert said() == 3


def test_alertmanager_that_calls_the_heartbeat_ended_is_believed_at_once(tmp_path: Path) -> None:
    settings = config(tmp_path)
    outbox = Outbox(settings.database, ["one"])
    watchdog = Watchdog(outbox, Words(settings), 300, lambda: None)
    watchdog.beat()
    watchdog.ended()
    assert outbox.waiting()["one"][0] == 1 and watchdog.silent


def test_feishus_signature() -> None:
    """What openssl says: dgst -sha256 -hmac "$(printf '1599360473\\ndemo')" -binary </dev/null | base64."""
    assert feishu.sign("demo", 1599360473) == "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="


def test_both_limits_are_kept_by_whatever_text() -> None:
    for block in ("长" * 9000, "<&>\"'" * 4000, "😀" * 5000, "\n\\" * 9000):
        message = Message("t" * 300, "critical", (block, block), "+{count}")
        data = feishu.body_of(message, "secret", 1)
        assert len(data) <= feishu.BODY_BYTES
        assert len(data) > feishu.BODY_BYTES // 2
        json.loads(data)
        text = telegram.text_of(message, plain=True)
        assert 4000 < len(text.encode("utf-16-le")) // 2 <= telegram.TEXT_LENGTH


def test_whole_blocks_first_and_the_rest_is_counted() -> None:
    blocks = ["aaaa", "bbbb", "cccc"]
    assert fit(blocks, "+{count}", lambda text: len(text) <= 14) == "aaaa\n\nbbbb\n\n+1"
    assert fit(blocks, "+{count}", lambda text: len(text) <= 16) == "aaaa\n\nbbbb\n\ncccc"


def test_telegrams_html_is_escaped() -> None:
    message = Message("a <b>", "critical", ("1 < 2 & 3",))
    assert telegram.text_of(message) == "<b>a &lt;b&gt;</b>\n1 &lt; 2 &amp; 3"


FEISHU: list[tuple[int, dict[str, Any], type[DeliveryError]]] = [
    (200, {"code": 11232, "msg": "frequency limited"}, Limited),
    (400, {"code": 9499, "msg": "too many request"}, Limited),
    (429, {"code": 99991400, "msg": "request trigger frequency limit"}, Limited),
    (400, {"code": 9499, "msg": "Bad Request"}, Refused),
    (200, {"code": 19001, "msg": "param invalid"}, Misconfigured),
    (200, {"code": 19021, "msg": "sign match fail"}, Misconfigured),
    (200, {"code": 19024, "msg": "Key Words Not Found"}, Misconfigured),
    (502, {}, Unreachable),
]
TELEGRAM: list[tuple[int, dict[str, Any], type[DeliveryError]]] = [
    (429, {"description": "Too Many Requests", "parameters": {"retry_after": 17}}, Limited),
    (401, {"description": "Unauthorized"}, Misconfigured),
    (403, {"description": "Forbidden: bot was kicked from the group chat"}, Misconfigured),
    (400, {"description": "Bad Request: chat not found"}, Misconfigured),
    (400, {"description": "Bad Request: can't parse entities"}, Refused),
    (500, {"description": "Internal Server Error"}, Unreachable),
]


def sent(chat: FeishuChat | TelegramChat, status: int, answer: dict[str, Any]) -> DeliveryError:
    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, json=answer)))
    kind = feishu.Feishu if isinstance(chat, FeishuChat) else telegram.Telegram
    with pytest.raises(DeliveryError) as caught:
        kind(chat, client).send(Message("t", "info", ("b",)))  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(("status", "answer", "kind"), FEISHU)
def test_feishus_refusals(status: int, answer: dict[str, Any], kind: type[DeliveryError]) -> None:
    assert type(sent(FeishuChat("one", "https://x.example/y"), status, answer)) is kind


@pytest.mark.parametrize(("status", "answer", "kind"), TELEGRAM)
def test_telegrams_refusals(status: int, answer: dict[str, Any], kind: type[DeliveryError]) -> None:
    error = sent(TelegramChat("one", "1:a", "-1", "https://t.example"), status, answer)
    assert type(error) is kind
    if status == 429:
        assert pause_seconds(error, 1) == 17


def test_pauses_grow_to_five_minutes() -> None:
    pauses = [pause_seconds(Unreachable("x"), attempts) for attempts in (1, 2, 3, 9, 10, 5000)]
    assert pauses == [1, 2, 4, 256, 300, 300]


def test_the_assistant_is_not_needed() -> None:
    """A relay that imports the assistant would need its libraries, and stop with it."""
    sources = list(Path(feishu.__file__).parent.glob("*.py"))
    assert sources
    assert not [path.name for path in sources if re.search(r"(from|import) assistant", path.read_text())]
