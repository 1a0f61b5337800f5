"""The people: their messages, delivered as the platforms deliver them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from tests.chaos.network import Network
from tests.chaos.plan import Message, Plan
from tests.emulators.delivery import FEISHU_PAUSES_SECONDS, Attempt, FeishuDelivery, TelegramDelivery
from tests.emulators.feishu_client import FeishuUser, message_event
from tests.emulators.telegram_client import TelegramUser, message_update
from tests.integration.app.process import APP_ID, SECRETS

REPEATED = 0.05
TELEGRAM_FACTOR = 4.0
# Feishu's last repetition comes 7 hours later on the platform. Here it comes after the last start, which may
# be slow: after the time of the kills, with this much to spare, and as many starts as this.
SPARE, STARTS = 1.2, 8.0


@dataclass
class People:
    """Who writes, and what the platforms call it: their ids of chats and messages, to the plan's numbers.

    ``start_seconds`` is how long the assistant's first start took.
    """

    plan: Plan
    start_seconds: float
    chats: dict[str, dict[str | int, int]] = field(default_factory=lambda: {"feishu": {}, "telegram": {}})
    ids: dict[str, dict[str | int, int]] = field(default_factory=lambda: {"feishu": {}, "telegram": {}})
    attempts: list[Attempt] = field(default_factory=list)

    async def write(self, url: str, network: Network) -> None:
        """Send all messages of the plan to the assistant at ``url``; ends when all are taken or given up."""
        source = random.Random(self.plan.seed)
        seconds = self.plan.seconds * SPARE + self.start_seconds * STARTS
        factor = max(1.0, sum(FEISHU_PAUSES_SECONDS) / seconds)
        async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=100)) as client:
            feishu = FeishuDelivery(
                url, SECRETS["feishu_encrypt_key"], client, factor=factor, repeated=REPEATED, source=source
            )
            telegram = TelegramDelivery(
                f"{url}/telegram/webhook",
                SECRETS["telegram_secret_token"],
                client,
                factor=TELEGRAM_FACTOR,
                repeated=REPEATED,
                source=source,
            )
            writing = [
                self._feishu(feishu, network, [m for m in self.plan.messages if m.platform == "feishu"]),
                self._telegram(telegram, [m for m in self.plan.messages if m.platform == "telegram"]),
            ]
            await asyncio.gather(*writing)

    async def _feishu(self, delivery: FeishuDelivery, network: Network, messages: Sequence[Message]) -> None:
        users = {message.chat: FeishuUser() for message in messages}
        self.chats["feishu"] = {user.chat_id: chat for chat, user in users.items()}
        self.ids["feishu"] = {f"om_{self.plan.seed}_{m.number}": m.number for m in messages}

        async def one(message: Message) -> None:
            await asyncio.sleep(message.after)
            user, message_id = users[message.chat], f"om_{self.plan.seed}_{message.number}"
            await asyncio.to_thread(network.announce, message_id, user.chat_id)
            event = message_event(
                message.text,
                app_id=APP_ID,
                verification_token=SECRETS["feishu_verification_token"],
                user=user,
                message_id=message_id,
            )
            self.attempts += await delivery.deliver(event)

        await asyncio.gather(*map(one, messages))

    async def _telegram(self, delivery: TelegramDelivery, messages: Sequence[Message]) -> None:
        users = {message.chat: TelegramUser(10**8 + message.chat) for message in messages}
        self.chats["telegram"] = {user.user_id: chat for chat, user in users.items()}
        # A chat's messages have numbers of its own there; here they are the plan's, which differ everywhere.
        self.ids["telegram"] = {1 + m.number: m.number for m in messages}

        async def one(message: Message) -> None:
            await asyncio.sleep(message.after)
            user = users[message.chat]
            update = message_update(
                message.text, user=user, update_id=10**6 + message.number, message_id=1 + message.number
            )
            self.attempts += await delivery.deliver(user.user_id, update)

        await asyncio.gather(*map(one, messages))
