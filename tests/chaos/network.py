"""The platforms behind a network that fails, and the model server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.chaos.plan import answer_to
from tests.emulators.model_server import ModelServer, make_model_app
from tests.emulators.server import Server
from tests.integration.app.emulated import emulated
from tests.integration.app.process import APP_ID

# The way to the platforms and back; longer ones make kills between sending and recording more probable.
ANSWER_SECONDS = 0.1
MODEL_PAUSE_SECONDS = 0.05
_WITHOUT_LOST_ANSWERS = ["500", "429", "before"]


@dataclass(frozen=True)
class Network:
    """The addresses of the platforms and of the model server, and what the latter was asked."""

    feishu: str
    telegram: str
    model: str
    server: ModelServer

    def settings(self) -> dict[str, str]:
        """Return the assistant's settings."""
        return {
            "MODEL_PATH": "",
            "ASSISTANT_BACKEND_URL": f"{self.model}/v1",
            "ASSISTANT_FEISHU_ENABLED": "true",
            "ASSISTANT_FEISHU_APP_ID": APP_ID,
            "ASSISTANT_FEISHU_BASE_URL": self.feishu,
            "ASSISTANT_TELEGRAM_ENABLED": "true",
            "ASSISTANT_TELEGRAM_BASE_URL": self.telegram,
            "ASSISTANT_PUBLIC_URL": "https://assistant.example.com",
            "ASSISTANT_CONTEXT_TOKENS": "2048",
            "ASSISTANT_MAX_TOKENS": "64",
        }

    def fail(self, share: float, seed: int, *, lost_answers: bool) -> None:
        """Let ``share`` of all calls of the platforms fail from now on.

        Args:
            share: from 0 to 1.
            seed: draws which ones.
            lost_answers: whether Telegram's answer to sendMessage is lost too, after the message was taken.
                That makes doubles that no bot can avoid: the call has no key that would tell a repetition.
        """
        order = {"share": share, "seed": seed, "delay": ANSWER_SECONDS}
        _post(f"{self.feishu}/_fail", order)
        _post(f"{self.telegram}/_fail", order)
        if not lost_answers:
            _post(
                f"{self.telegram}/_fail",
                {**order, "seed": seed + 1, "match": "/sendMessage", "kinds": _WITHOUT_LOST_ANSWERS},
            )

    def announce(self, message_id: str, chat_id: str) -> None:
        """Tell the Feishu emulator in which chat a message is."""
        _post(f"{self.feishu}/_message", {"message_id": message_id, "chat_id": chat_id})

    def sent(self, platform: str) -> list[dict[str, Any]]:
        """Return what a platform took from the assistant."""
        return list(self._get(platform, "/_sent"))

    def calls(self) -> dict[str, int]:
        """Return how many calls there were at both platforms, and how many failed in which way."""
        total: dict[str, int] = {}
        for platform in ("feishu", "telegram"):
            for kind, count in self._get(platform, "/_calls").items():
                total[kind] = total.get(kind, 0) + count
        return total

    def _get(self, platform: str, path: str) -> Any:
        base = self.feishu if platform == "feishu" else self.telegram
        return httpx.get(f"{base}{path}", trust_env=False, timeout=30).json()


def _post(url: str, document: dict[str, Any]) -> None:
    httpx.post(url, json=document, trust_env=False, timeout=30).raise_for_status()


@contextmanager
def started() -> Iterator[Network]:
    """Run all three servers."""
    model = ModelServer(
        answer=lambda body: answer_to(str(body["messages"][-1]["content"])), pause=MODEL_PAUSE_SECONDS
    )
    with (
        emulated() as (one, two),
        Server(make_model_app(model), "127.0.0.1", 0) as three,
    ):
        yield Network(one.url, two.url, three.url, model)
