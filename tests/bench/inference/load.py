"""Callers in a closed loop: each sends its next request when it has its answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from tests.bench.inference.prompts import SYSTEM

SECONDS = 600.0


@dataclass(frozen=True)
class Answer:
    """One answered request; times are seconds since the round began."""

    sent: float
    first: float
    last: float
    pieces: int

    @property
    def time_to_first_token(self) -> float:
        """Seconds from sending the request to the first text of the answer."""
        return self.first - self.sent


@dataclass(frozen=True)
class Round:
    """One round at one server: ``seconds`` from its first request to its last answer."""

    answers: list[Answer]
    seconds: float

    @property
    def requests_per_second(self) -> float:
        """Answers in each second."""
        return len(self.answers) / self.seconds

    def first_token_percentile(self, percent: float) -> float:
        """Time to first token in seconds; the nearest rank, so a value that was measured."""
        times = sorted(a.time_to_first_token for a in self.answers)
        rank = max(1, -(-len(times) * percent // 100))
        return times[int(rank) - 1]


class LoadError(Exception):
    """A server did not answer as it must; the text says which and how."""


def run_round(
    url: str, model: str, token: str, messages: Sequence[str], *, callers: int, max_tokens: int
) -> Round:
    """Send every message as a conversation of its own, ``callers`` at once.

    Args:
        url: the server's base address, ``http://127.0.0.1:PORT``.
        model: the model's name in the request.
        token: the bearer token.
        messages: one for each request.
        callers: how many requests are on their way at any time.
        max_tokens: new tokens of an answer.

    Raises:
        LoadError: an error status, or an answer without text.
    """
    return asyncio.run(_round(url, model, token, messages, callers, max_tokens))


async def _round(
    url: str, model: str, token: str, messages: Sequence[str], callers: int, max_tokens: int
) -> Round:
    left = list(reversed(messages))
    answers: list[Answer] = []
    # A connection for each request: a server may close one that is kept just when the next request is sent.
    limits = httpx.Limits(max_connections=callers, max_keepalive_connections=0)
    async with httpx.AsyncClient(trust_env=False, timeout=SECONDS, limits=limits) as client:
        begun = time.perf_counter()

        async def caller() -> None:
            while left:
                text = left.pop()
                answers.append(await _ask(client, url, model, token, text, max_tokens, begun))

        await asyncio.gather(*(caller() for _ in range(callers)))
        return Round(answers, time.perf_counter() - begun)


async def _ask(
    client: httpx.AsyncClient, url: str, model: str, token: str, text: str, max_tokens: int, begun: float
) -> Answer:
    body = {
        "model": model,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}],
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": True,
    }
    sent = time.perf_counter() - begun
    first, pieces = 0.0, 0
    headers = {"Authorization": f"Bearer {token}"}
    async with client.stream("POST", f"{url}/v1/chat/completions", json=body, headers=headers) as response:
        if response.status_code != 200:
            text = (await response.aread()).decode(errors="replace")
            raise LoadError(f"{url} answered {response.status_code}: {text[:300]}")
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line.removeprefix("data: "))
            if "error" in event:
                raise LoadError(f"{url} ended an answer with {event['error']}")
            # The last one may carry the usage and no choice.
            if any(choice.get("delta", {}).get("content") for choice in event.get("choices", ())):
                pieces += 1
                first = first or time.perf_counter() - begun
    if not pieces:
        raise LoadError(f"{url} gave an answer without text")
    return Answer(sent, first, time.perf_counter() - begun, pieces)
