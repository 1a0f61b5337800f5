"""How the platforms deliver events to a webhook, and deliver them again; time can be compressed.

Feishu: an event that is not answered with 200 within 3 s is pushed again after 15 s, 5 min, 1 h and 6 h, then
no more; the order of events is not promised, and one may come again though it was answered (under
https://open.feishu.cn/document: event-subscription-guide/overview, "push period and frequency").

Telegram: https://core.telegram.org/bots/api#setwebhook promises a repetition after anything but 2xx,
``max_connections`` (40) calls at once, and numbers that tell repeated updates. How it is done is in the
server's source, github.com/tdlib/telegram-bot-api, WebhookActor: a chat's updates form a queue, whose head is
sent until it is taken: again at once, then after 2 s, 4 s, 8 s ... up to 60 to 120 s, for 24 hours.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx

from tests.emulators.feishu_client import PATH, sealed
from tests.emulators.telegram_client import SECRET_HEADER

FEISHU_PAUSES_SECONDS = (15.0, 300.0, 3600.0, 21600.0)
FEISHU_ANSWER_SECONDS = 3.0
TELEGRAM_CONNECTIONS = 40
TELEGRAM_ANSWER_SECONDS = 30.0  # not documented
TELEGRAM_LONGEST_PAUSES_SECONDS = (60.0, 120.0)
TELEGRAM_LIFE_SECONDS = 86400.0

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Attempt:
    """One call of the webhook: when it began (seconds since 1970), and its status; None without an answer."""

    at: float
    status: int | None


async def _post(
    client: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str], seconds: float
) -> Attempt:
    begun = time.time()
    try:
        async with asyncio.timeout(seconds):
            response = await client.post(url, content=body, headers=dict(headers))
    except (httpx.HTTPError, TimeoutError):
        return Attempt(begun, None)
    return Attempt(begun, response.status_code)


class FeishuDelivery:
    """Delivers events as Feishu does, each by itself."""

    def __init__(
        self,
        https_url: str,
        encrypt_key: str,
        client: httpx.AsyncClient,
        *,
        factor: float = 1.0,
        repeated: float = 0.0,
        source: random.Random | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Deliver to the assistant at ``https_url``.

        Args:
            https_url: address of the assistant, without the path.
            encrypt_key: the app's Encrypt Key.
            client: makes the calls.
            factor: how many times faster than on the platform the pauses pass; an answer has its 3 s all the
                same.
            repeated: the share of events that come once more, after the first pause, though they were taken.
            source: draws which ones.
            sleep: waits; tests replace it.
        """
        self._url, self._key, self._client = https_url.rstrip("/") + PATH, encrypt_key, client
        self._factor, self._repeated, self._sleep = factor, repeated, sleep
        self._source = source or random.Random()

    async def deliver(self, event: dict[str, object]) -> list[Attempt]:
        """Push ``event`` until it is taken or given up; the repetitions are the first call, byte by byte.

        Returns:
            all calls; the event was given up when none of them has the status 200.
        """
        body, headers = sealed(event, self._key)
        again = self._source.random() < self._repeated
        attempts: list[Attempt] = []
        for pause in (0.0, *FEISHU_PAUSES_SECONDS):
            if pause:
                await self._sleep(pause / self._factor)
            attempts.append(await _post(self._client, self._url, body, headers, FEISHU_ANSWER_SECONDS))
            if attempts[-1].status == 200:
                break
        if again and attempts[-1].status == 200:
            await self._sleep(FEISHU_PAUSES_SECONDS[0] / self._factor)
            attempts.append(await _post(self._client, self._url, body, headers, FEISHU_ANSWER_SECONDS))
        return attempts


class TelegramDelivery:
    """Delivers updates as Telegram does: a chat's in order, several chats' at once."""

    def __init__(
        self,
        webhook_url: str,
        secret_token: str,
        client: httpx.AsyncClient,
        *,
        factor: float = 1.0,
        repeated: float = 0.0,
        source: random.Random | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Deliver to the webhook at ``webhook_url``.

        Args:
            webhook_url: the full address of the webhook.
            secret_token: the value of ``X-Telegram-Bot-Api-Secret-Token``.
            client: makes the calls.
            factor: how many times faster than on the platform the pauses pass.
            repeated: the share of updates that come once more at once though they were taken.
            source: draws which ones, and the longest pauses.
            sleep: waits; tests replace it.
        """
        self._url, self._client = webhook_url, client
        self._headers = {SECRET_HEADER: secret_token}
        self._factor, self._repeated, self._sleep = factor, repeated, sleep
        self._source = source or random.Random()
        self._queues: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._connections = asyncio.Semaphore(TELEGRAM_CONNECTIONS)

    async def deliver(self, chat: int, update: dict[str, object]) -> list[Attempt]:
        """Push ``update`` when those of the same chat before it are done with.

        Returns:
            all calls; the update was given up when none of them has a status of 200 to 299.
        """
        again = self._source.random() < self._repeated
        async with self._queues[chat]:  # fair: who waits longest goes first
            attempts = await self._until_taken(update)
            if again and _taken(attempts[-1]):
                attempts.append(await self._once(update))
        return attempts

    async def _until_taken(self, update: dict[str, object]) -> list[Attempt]:
        attempts = [await self._once(update)]
        delay, waited = 1.0, 0.0
        while not _taken(attempts[-1]):
            if len(attempts) > 1:
                delay = min(self._source.uniform(*TELEGRAM_LONGEST_PAUSES_SECONDS), delay * 2)
                if waited + delay > TELEGRAM_LIFE_SECONDS:
                    break
                waited += delay
                await self._sleep(delay / self._factor)
            attempts.append(await self._once(update))
        return attempts

    async def _once(self, update: dict[str, object]) -> Attempt:
        request = httpx.Request("POST", self._url, json=update)
        headers = {**self._headers, "Content-Type": "application/json"}
        async with self._connections:
            return await _post(self._client, self._url, request.content, headers, TELEGRAM_ANSWER_SECONDS)


def _taken(attempt: Attempt) -> bool:
    return attempt.status is not None and 200 <= attempt.status <= 299
