"""Another model while people ask: ``python -m assistant reload`` lets nobody meet a closed door."""

import os
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from rollout_agent.versions import CURRENT, point
from tests.integration.app.conftest import Maker
from tests.integration.app.process import SECRETS, Assistant, until

HEADERS = {"Authorization": f"Bearer {SECRETS['api_token']}"}


@pytest.fixture
def served(make_assistant: Maker, model_path: Path, tmp_path: Path) -> Iterator[tuple[Assistant, Path]]:
    """An assistant that loads a link, which leads to one of two files that are there."""
    for name in ("first", "second"):
        shutil.copy(model_path, tmp_path / f"{name}.gguf")
    point(tmp_path, CURRENT, "first.gguf")
    link = tmp_path / CURRENT
    made = make_assistant({"MODEL_PATH": str(link), "ASSISTANT_MAX_TOKENS": "4"})
    made.start()
    yield made, link
    assert made.stop() == 0


def command(assistant: Assistant, *words: str) -> subprocess.CompletedProcess[str]:
    assert assistant.process is not None
    return assistant.command("reload", "--master", str(assistant.process.pid), *words)


def said(assistant: Assistant, *words: str) -> str:
    done = command(assistant, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def asked_all_the_time(assistant: Assistant) -> Iterator[Counter[tuple[int, str]]]:
    """Three callers, each with a connection of its own for every question; how they were answered."""
    answers: Counter[tuple[int, str]] = Counter()
    over = threading.Event()

    def ask(number: int) -> None:
        while not over.is_set():
            question = {"messages": [{"role": "user", "content": f"Hello {number}"}], "max_tokens": 4}
            response = httpx.post(
                f"{assistant.url}/v1/chat/completions",
                json=question,
                headers=HEADERS,
                timeout=60,
                trust_env=False,
            )
            answers[response.status_code, response.json().get("model", "")] += 1

    callers = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for caller in callers:
        caller.start()
    try:
        yield answers
    finally:
        over.set()
        for caller in callers:
            caller.join()


def test_who_asks_meanwhile_is_answered(served: tuple[Assistant, Path]) -> None:
    assistant, link = served
    with asked_all_the_time(assistant) as answers:
        until("the first model answers", lambda: answers[200, "first"] > 5)
        point(link.parent, link.name, "second.gguf")
        assert said(assistant) == "reloaded"
        until("the second model answers", lambda: answers[200, "second"] > 5)
    assert set(answers) == {(200, "first"), (200, "second")}
    assert assistant.process is not None and assistant.process.poll() is None


def test_it_does_so_once_and_only_for_another_file(served: tuple[Assistant, Path]) -> None:
    assistant, link = served
    assert said(assistant) == said(assistant, "--look") == "unchanged"
    # Another file in the place of the one that the link leads to.
    fresh = link.with_name("fresh.gguf")
    shutil.copy2(link, fresh)
    fresh.rename(link.with_name("first.gguf"))
    assert [said(assistant, *words) for words in (["--look"], [], ["--look"], [])] == [
        "younger",
        "reloaded",
        "unchanged",
        "unchanged",
    ]
    until("it serves", assistant.ready)


@pytest.mark.parametrize("content", [None, b"GGUF and then nothing"], ids=["gone", "damaged"])
def test_a_file_that_cannot_be_served_ends_nothing(
    served: tuple[Assistant, Path], content: bytes | None
) -> None:
    assistant, link = served
    # In the place of the old one, which the process has open: written over, it would see the change.
    link.with_name("first.gguf").unlink()
    if content is not None:
        link.with_name("first.gguf").write_bytes(content)
    done = command(assistant)
    assert done.returncode == 3
    assert done.stderr.startswith("MODEL_PATH: ") and done.stderr.count("\n") == 1
    with asked_all_the_time(assistant) as answers:
        until("it answers", lambda: answers.total() > 3)
    assert set(answers) == {(200, "first")}


def test_what_is_no_gunicorn_is_named(served: tuple[Assistant, Path]) -> None:
    assistant, _ = served
    with subprocess.Popen(["sleep", "60"]) as other:
        done = command(assistant, "--master", str(other.pid))
        other.kill()
    assert done.returncode == 1
    assert f"process {other.pid} has no worker" in done.stderr
    assert os.path.exists(f"/proc/{assistant.process.pid}") if assistant.process else False
