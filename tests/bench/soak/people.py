"""People who talk with the assistant over its HTTP API: each asks again when the answer is there."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.bench.inference.prompts import messages

TURNS = 6
ANSWER_TOKENS = 48


@dataclass(frozen=True)
class Answer:
    """One answer; seconds since the question was sent."""

    first: float
    last: float
    tokens: int
    turn: int


@dataclass
class Talk:
    """What all people got together, and the errors in words."""

    seconds: float = 0.0
    answers: list[Answer] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def talk(url: str, token: str, people: int, seconds: float, watch: Callable[[], None]) -> Talk:
    """Let ``people`` hold conversations of up to ``TURNS`` turns, one after another, for ``seconds``.

    Args:
        url: the assistant's address.
        token: of its API.
        people: how many at once.
        seconds: after that nobody asks again; who waits still gets an answer.
        watch: called every few seconds meanwhile.
    """
    found, begun = Talk(), time.monotonic()
    threads = [
        threading.Thread(target=_person, args=(url, token, number, begun + seconds, found))
        for number in range(people)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        watch()
        time.sleep(2)
    found.seconds = time.monotonic() - begun
    return found


def _person(url: str, token: str, number: int, end: float, found: Talk) -> None:
    source = random.Random(number)
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as client:
        while time.monotonic() < end:
            history: list[dict[str, str]] = []
            for turn, text in enumerate(messages(TURNS, source.randrange(10**9))):
                if time.monotonic() >= end:
                    return
                history.append({"role": "user", "content": text})
                try:
                    answer, said = _ask(client, history, turn)
                except (httpx.HTTPError, ValueError) as error:
                    found.errors.append(f"{type(error).__name__}: {error}"[:300])
                    time.sleep(1)
                    break
                found.answers.append(answer)
                history.append({"role": "assistant", "content": said})


def _ask(client: httpx.Client, history: list[dict[str, str]], turn: int) -> tuple[Answer, str]:
    body = {
        "model": "assistant",
        "messages": history,
        "max_tokens": ANSWER_TOKENS,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    sent, first, tokens, said = time.monotonic(), 0.0, 0, ""
    with client.stream("POST", "/v1/chat/completions", json=body, timeout=600) as response:
        if response.status_code != 200:
            raise ValueError(f"status {response.status_code}: {response.read().decode(errors='replace')}")
        for line in response.iter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line.removeprefix("data: "))
            if "error" in event:
                raise ValueError(str(event["error"]))
            tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
            for choice in event.get("choices", ()):
                if text := choice.get("delta", {}).get("content"):
                    said += text
                    first = first or time.monotonic()
    if not said:
        raise ValueError("an answer without text")
    return Answer(first - sent, time.monotonic() - sent, tokens, turn), said
