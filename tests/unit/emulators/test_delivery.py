"""The platforms deliver an event again until it is taken, each by its own schedule."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence

import httpx
import pytest

from tests.emulators.delivery import Attempt, FeishuDelivery, TelegramDelivery
from tests.emulators.telegram_client import SECRET_HEADER


class Webhook:
    """Answers with the given statuses, the last one for ever; None cuts the connection."""

    def __init__(self, *statuses: int | None) -> None:
        self._statuses = list(statuses)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        await asyncio.sleep(0)
        if status is None:
            raise httpx.ReadError("cut", request=request)
        return httpx.Response(status)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))


def feishu(webhook: Webhook, **more: float) -> FeishuDelivery:
    return FeishuDelivery("https://a.example", "key", webhook.client(), sleep=webhook.sleep, **more)  # type: ignore[arg-type]


def telegram(webhook: Webhook, **more: float) -> TelegramDelivery:
    return TelegramDelivery(
        "https://a.example/hook",
        "secret",
        webhook.client(),
        sleep=webhook.sleep,
        source=random.Random(1),
        **more,
    )


def statuses(attempts: Sequence[Attempt]) -> list[int | None]:
    return [attempt.status for attempt in attempts]


def test_feishu_takes_nothing_but_200() -> None:
    webhook = Webhook(None, 500, 204, 302, 200)
    attempts = asyncio.run(feishu(webhook).deliver({"a": 1}))
    assert statuses(attempts) == [None, 500, 204, 302, 200]
    assert webhook.pauses == [15, 300, 3600, 21600]
    assert len({request.content for request in webhook.requests}) == 1
    assert len({request.headers["X-Lark-Signature"] for request in webhook.requests}) == 1
    assert str(webhook.requests[0].url) == "https://a.example/feishu/webhook"


def test_feishu_gives_up_after_four_repetitions() -> None:
    webhook = Webhook(503)
    assert statuses(asyncio.run(feishu(webhook).deliver({}))) == [503] * 5


def test_feishu_does_not_wait_longer_than_three_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.emulators.delivery.FEISHU_ANSWER_SECONDS", 0.01)

    class Slow(Webhook):
        async def answer(self, request: httpx.Request) -> httpx.Response:
            if not self.requests:
                self.requests.append(request)
                await asyncio.sleep(60)
            return await super().answer(request)

    assert statuses(asyncio.run(feishu(Slow(200)).deliver({}))) == [None, 200]


@pytest.mark.parametrize(("deliver", "pauses"), [(feishu, [0.15]), (telegram, [])])
def test_repeats_what_was_taken(deliver: Callable[..., object], pauses: list[float]) -> None:
    webhook = Webhook(200)
    delivery = deliver(webhook, factor=100, repeated=1.0)
    if isinstance(delivery, FeishuDelivery):
        attempts = asyncio.run(delivery.deliver({}))
    else:
        assert isinstance(delivery, TelegramDelivery)
        attempts = asyncio.run(delivery.deliver(7, {"update_id": 1}))
    assert statuses(attempts) == [200, 200]
    assert webhook.pauses == pauses


def test_telegram_waits_longer_each_time() -> None:
    webhook = Webhook(*[500] * 9, 204)
    attempts = asyncio.run(telegram(webhook, factor=2).deliver(7, {"update_id": 1}))
    assert statuses(attempts) == [500] * 9 + [204]
    assert webhook.pauses[:5] == [1, 2, 4, 8, 16]
    assert all(30 <= pause <= 60 for pause in webhook.pauses[5:])
    assert webhook.requests[0].headers[SECRET_HEADER] == "secret"


def test_telegram_gives_up_after_a_day() -> None:
    webhook = Webhook(None)
    attempts = asyncio.run(telegram(webhook).deliver(7, {"update_id": 1}))
    assert set(statuses(attempts)) == {None}
    assert 86400 - 120 <= sum(webhook.pauses) <= 86400


def test_telegram_keeps_a_chats_order_and_lets_others_pass() -> None:
    webhook = Webhook(500, 500, 500, 200)

    async def run() -> None:
        delivery = telegram(webhook)
        await asyncio.gather(
            *(delivery.deliver(chat, {"update_id": number}) for number, chat in enumerate((7, 7, 7, 8)))
        )

    asyncio.run(run())
    order = [json.loads(request.content)["update_id"] for request in webhook.requests]
    of_seven = [number for number in order if number != 3]
    assert of_seven == sorted(of_seven) and set(order) == {0, 1, 2, 3}
    assert order.index(3) < order.index(1), "chat 8 waits for nobody"
