"""Fixtures: the emulated platforms, a relay, and what Alertmanager would post."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.emulators.config import FeishuConfig, TelegramConfig
from tests.emulators.feishu import make_feishu_app
from tests.emulators.server import Server
from tests.emulators.telegram import make_telegram_app
from tests.integration.alert_relay.process import BOT_TOKEN, HOOK_SECRET, HOOK_TOKEN, Relay
from tests.integration.app.process import until


class Chats:
    """Both emulated platforms, seen by those who read the chats."""

    def __init__(self, feishu: Server, telegram: Server) -> None:
        self.feishu, self.telegram = feishu.url, telegram.url
        self.both = (self.feishu, self.telegram)

    def post(self, base: str, page: str, document: object) -> None:
        httpx.post(f"{base}{page}", json=document, trust_env=False).raise_for_status()

    def bot(self, **settings: str) -> None:
        """Have the group a custom bot that asks for ``settings``."""
        self.post(self.feishu, "/_hook", {"token": HOOK_TOKEN, **settings})

    def fail(self, base: str, **fault: Any) -> None:
        self.post(base, "/_fail", fault)

    def sent(self, base: str) -> list[dict[str, Any]]:
        return list(httpx.get(f"{base}/_sent", trust_env=False).json())

    def texts(self, base: str) -> list[str]:
        return [sent["text"] for sent in self.sent(base)]

    def wait_for(self, count: int) -> None:
        """Wait until each chat has so many messages."""
        for base in self.both:
            until(f"{count} messages at {base}", lambda base=base: len(self.sent(base)) >= count)

    def counts(self) -> tuple[int, int]:
        return len(self.sent(self.feishu)), len(self.sent(self.telegram))


@pytest.fixture(scope="module")
def platforms() -> Iterator[Chats]:
    feishu = FeishuConfig("cli_a1b2c3d4e5f60001", "secret", "key", "token")
    telegram = TelegramConfig(BOT_TOKEN, "secret")
    with (
        Server(make_feishu_app(feishu), "127.0.0.1", 0) as one,
        Server(make_telegram_app(telegram), "127.0.0.1", 0) as two,
    ):
        yield Chats(one, two)


@pytest.fixture
def chats(platforms: Chats) -> Chats:
    for base in platforms.both:
        platforms.post(base, "/_reset", {})
    platforms.bot(secret=HOOK_SECRET)
    return platforms


@pytest.fixture
def make_relay(chats: Chats, tmp_path: Path) -> Iterator[Callable[..., Relay]]:
    made: list[Relay] = []

    def make(**settings: Any) -> Relay:
        made.append(Relay(tmp_path, chats.feishu, chats.telegram, **settings))
        return made[-1]

    yield make
    for relay in made:
        relay.kill()


@pytest.fixture
def relay(make_relay: Callable[..., Relay]) -> Relay:
    made = make_relay()
    made.start()
    return made


def notification(name: str = "HostDiskFull", status: str = "firing", **labels: str) -> dict[str, Any]:
    """What Alertmanager 0.25 posts for a group of one alert."""
    labels = {"alertname": name, "instance": "demo1", "severity": "critical", **labels}
    annotations = {
        "summary_en": f"{name}: the disk is <90 %> full",
        "summary_zh": f"{name}：磁盘已使用 <90 %>",
        "description_en": "/ on demo1 has 1.2 GB left & shrinks.",
        "description_zh": "demo1 的 / 仅剩 1.2 GB。",
        "runbook": f"docs/runbooks/{name}.md",
    }
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": "2026-11-26T20:00:00.123456789Z",
        "endsAt": "2026-11-26T20:30:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
        "generatorURL": "http://localhost:9090/graph",
        "fingerprint": f"{abs(hash(tuple(sorted(labels.items())))):016x}"[:16],
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{name}", instance="{labels["instance"]}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "chats",
        "groupLabels": {"alertname": name, "instance": labels["instance"]},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "http://localhost:9093",
        "alerts": [alert],
    }
