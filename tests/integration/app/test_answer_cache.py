"""Known answers in the running service: a herd, ratings, pins, erasure, restarts, the API's headers."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.emulators.model_server import ModelServer, Trouble, make_model_app
from tests.emulators.server import Server
from tests.emulators.telegram_client import TelegramUser, post_update
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import APP, SECRETS, Assistant, until

HEADERS = {"Authorization": f"Bearer {SECRETS['api_token']}"}
PATH = "/v1/chat/completions"
HERD = 100
PINNED = [
    {"questions": ["When are you open?", "你们几点开门？"], "answer_en": "At 9.", "answer_zh": "九点。"}
]


class Service:
    """An assistant whose model server counts what it is asked."""

    def __init__(self, assistant: Assistant, model: ModelServer, platforms: Platforms) -> None:
        self.assistant, self.model, self.platforms = assistant, model, platforms

    def asked(self, text: str) -> int:
        return sum(body["messages"][-1]["content"] == text for body in self.model.asked)

    def call(self, text: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": text}], "temperature": 0, **more}
        return self.assistant.post(PATH, json=body, headers={**HEADERS, **(headers or {})})

    def command(self, *words: str) -> str:
        done = self.assistant.command(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def service(make_assistant: Maker, platforms: Platforms) -> Iterator[Service]:
    model = ModelServer(answer=lambda body: [f"{body['messages'][-1]['content']}: ", str(len(model.asked))])
    with Server(make_model_app(model), "127.0.0.1", 0) as running:
        assistant = make_assistant(
            {
                **platforms.settings(),
                "MODEL_PATH": "",
                "ASSISTANT_BACKEND_URL": f"{running.url}/v1",
                "ASSISTANT_ANSWER_CACHE_SECONDS": "3600",
            }
        )
        (assistant.directory / "secrets" / "backend_api_key").write_text(model.key + "\n")
        pinned = assistant.directory / "pinned.json"
        pinned.write_text(json.dumps(PINNED))
        assistant.environment["ASSISTANT_PINNED_ANSWERS_FILE"] = str(pinned)
        assistant.start()
        yield Service(assistant, model, platforms)
        assert assistant.stop() == 0


def together(count: int, do: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(count)

    def one(number: int) -> Any:
        barrier.wait(60)
        return do(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def text_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


def test_a_hundred_equal_calls_at_once_cost_one_generation(service: Service) -> None:
    service.model.fail(Trouble(wait=2.0))
    texts = [text_of(r) for r in together(HERD, lambda n: service.call("A herd of calls?"))]
    assert (len(texts), len(set(texts))) == (HERD, 1)
    assert service.asked("A herd of calls?") == 1
    rows = service.assistant.rows("SELECT count(*) FROM inbox WHERE platform = 'api'")
    assert rows[0][0] == 1, "the others went past the inbox"


def test_a_hundred_equal_messages_at_once_cost_one_generation(service: Service) -> None:
    service.platforms.reset()
    service.model.fail(Trouble(wait=2.0))
    posted = together(
        HERD,
        lambda n: service.platforms.post_telegram(
            service.assistant, "A herd of messages!", user=TelegramUser(5000 + n)
        ),
    )
    assert {response.status_code for response in posted} == {200}
    sent = service.platforms.wait_for(service.platforms.telegram, HERD, 120)
    assert len({one["text"] for one in sent}) == 1
    assert len({one["chat"] for one in sent}) == HERD, "each has a reply of its own"
    assert service.asked("A herd of messages!") == 1


def test_a_failed_leader_lets_the_next_one_try(service: Service) -> None:
    service.model.fail(Trouble(status=400, error={"message": "no", "code": "x"}, wait=1.0))
    responses = together(5, lambda n: service.call("A leader that fails?"))
    assert sorted(r.status_code for r in responses) == [200, 200, 200, 200, 503]
    assert service.asked("A leader that fails?") == 2


def test_the_header_says_where_an_answer_comes_from(service: Service) -> None:
    first = service.call("Where from?")
    again = service.call("  WHERE from ? ")
    assert (first.headers["X-Cache"], again.headers["X-Cache"]) == ("miss", "hit")
    assert text_of(first) == text_of(again)
    assert again.json()["usage"]["total_tokens"] == 0
    assert first.json()["id"] != again.json()["id"]
    fresh = service.call("Where from?", {"Cache-Control": "max-age=0, no-cache"})
    assert fresh.headers["X-Cache"] == "bypass"
    assert text_of(fresh) != text_of(first)
    assert text_of(service.call("Where from?")) == text_of(fresh), "a fresh answer is kept"
    assert service.call("Where from?", {"Cache-Control": "no-store"}).headers["X-Cache"] == "bypass"
    assert text_of(service.call("Where from?")) == text_of(fresh)
    assert service.call("Where from?", temperature=0.7).headers["X-Cache"] == "bypass"
    assert service.call("Where from?", {"Authorization": "Bearer wrong"}).status_code == 401


def test_an_answer_out_of_the_cache_can_be_streamed(service: Service) -> None:
    whole = text_of(service.call("As a stream?"))
    streamed = service.call("As a stream?", stream=True)
    assert streamed.headers["X-Cache"] == "hit"
    assert streamed.headers["Content-Type"].startswith("text/event-stream")
    *events, done = [line for line in streamed.text.split("\n\n") if line]
    assert done == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == whole
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def message(service: Service, text: str, user: int) -> str:
    """Write ``text`` to the bot as ``user``, in a chat where nobody wrote before; returns the reply."""
    service.platforms.reset()
    service.platforms.post_telegram(service.assistant, text, user=TelegramUser(user))
    return str(service.platforms.wait_for(service.platforms.telegram, 1)[0]["text"])


def test_pinned_answers_also_while_the_model_is_away(service: Service) -> None:
    assert text_of(service.call("WHEN are you open?", temperature=0.9)) == "At 9."
    assert service.call("你们几点开门?").headers["X-Cache"] == "pinned"
    key, service.model.key = service.model.key, "another"
    try:
        until("the model is away", lambda: service.assistant.get("/readyz").status_code == 503)
        assert message(service, "when are you open", 7001) == "At 9."
        service.command("cache", "pin", "--question", "Is the model there?", "--answer", "No.")
        until(
            "the pin is seen",
            lambda: "cache" and service.command("cache", "list").count("Is the model there?"),
        )
        assert message(service, "你们几点开门？", 7002) == "九点。"
    finally:
        service.model.key = key
    until("the model is back", service.assistant.ready)
    assert "Is the model there?" in service.command("cache", "list")
    service.command("cache", "unpin", "1")
    until("the pin is gone", lambda: service.call("is the model there").headers["X-Cache"] != "pinned")


def test_forgotten_cleared_restarted(service: Service) -> None:
    first = message(service, "What do you forget?", 8001)
    assert message(service, "what do you forget", 8002) == first
    service.command("forget", "--channel", "telegram", "--user", "8001", "--yes")
    second = message(service, "What do you forget?", 8003)
    assert second != first, "what was deleted is given to nobody"
    assert message(service, "What do you forget?", 8004) == second
    service.command("cache", "clear")
    known = text_of(service.call("Cleared?"))
    until("it is cleared", lambda: service.call("Cleared?").headers["X-Cache"] == "hit")
    service.command("cache", "clear")
    until("it is cleared again", lambda: text_of(service.call("Cleared?")) != known)
    before = text_of(service.call("After a restart?"))
    assert service.assistant.stop() == 0
    service.assistant.start()
    assert text_of(service.call("After a restart?")) != before, "nothing lies on the disk"


def test_a_thumbs_down_in_a_chat_ends_the_answer_for_all(service: Service) -> None:
    first = message(service, "Is it good?", 9101)
    assert message(service, "is it good ?", 9102) == first
    (sent,) = service.platforms.sent(service.platforms.telegram)
    url, secret = f"{service.assistant.url}/telegram/webhook", SECRETS["telegram_secret_token"]

    def click(button: int) -> Any:
        data = sent["keyboard"][0][button]["callback_data"]
        body = {"chat": 9102, "message_id": sent["message_id"], "data": data}
        return httpx.post(f"{service.platforms.telegram}/_click", json=body, trust_env=False).json()

    good, bad = click(0), click(1)
    assert post_update(url, good, secret).status_code == 200
    assert message(service, "Is it good?", 9103) == first, "a good rating ends nothing"
    assert post_update(url, bad, secret).status_code == 200
    second = message(service, "Is it good?", 9104)
    assert second != first
    assert message(service, "Is it good?", 9105) == second, "the answer after it is kept"


def test_another_model_has_other_answers(service: Service) -> None:
    first = text_of(service.call("Which model?"))
    assert text_of(service.call("Which model?")) == first
    models = service.model.models
    service.model.models = ["second-model"]
    try:
        until("the other model is asked", lambda: text_of(service.call("Which model?")) != first)
        assert service.model.asked[-1]["model"] == "second-model"
    finally:
        service.model.models = models


def test_the_most_frequent_questions_are_shown_if_several_asked(service: Service) -> None:
    for user in range(9001, 9005):
        message(service, "What is asked most?", user)
    message(service, "My name is Li Lei, 13 Main Street", 9005)
    found = json.loads(service.command("cache", "top", "--json", "--limit", "500"))
    shown = {entry["question"]: entry for entry in found["questions"]}
    entry = shown["What is asked most?"]
    assert (entry["asked"], entry["askers"], entry["without_model"]) == (4, 4, 3)
    assert not any("Li Lei" in question for question in shown)
    assert found["not_shown"]["questions"] >= 1
    # Nothing but the messages themselves holds their words.
    tables = {row[0] for row in service.assistant.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in tables - {"inbox", "outbox", "messages"}:
        assert "asked most" not in str(service.assistant.rows(f"SELECT * FROM {table}"))


def test_a_wrong_file_of_pinned_answers_ends_the_start_with_a_reason(service: Service) -> None:
    path = service.assistant.directory / "wrong.json"
    path.write_text('[{"questions": ["q"]}]')
    environment = {**service.assistant.environment, "ASSISTANT_PINNED_ANSWERS_FILE": str(path)}
    done = subprocess.run(
        [sys.executable, "-m", "assistant", "check"], cwd=APP, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("ASSISTANT_PINNED_ANSWERS_FILE: entry 1: it has no answer")
    assert os.linesep not in done.stderr.strip()
