"""A process that is told to stop while people wait for their answers: nobody's connection is just cut."""

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from tests.emulators.model_server import ModelServer, make_model_app
from tests.emulators.server import Server
from tests.integration.app.conftest import Maker
from tests.integration.app.process import SECRETS, Assistant, until
from tests.integration.app.test_web_chat import Visitor

PATH = "/v1/chat/completions"
FIRST_WORDS = "Once upon a time"


class Scene:
    """An assistant whose model says a few words, and the rest when it is let."""

    def __init__(self, assistant: Assistant, model: ModelServer) -> None:
        self.assistant, self.model = assistant, model

    def ask(self, text: str, **more: Any) -> HTTPConnection:
        """Send a call and do not wait for what it gets."""
        connection = HTTPConnection("127.0.0.1", self.assistant.port, timeout=60)
        body = {"messages": [{"role": "user", "content": text}], "temperature": 0, **more}
        headers = {"Authorization": f"Bearer {SECRETS['api_token']}", "Content-Type": "application/json"}
        connection.request("POST", PATH, json.dumps(body), headers)
        return connection

    def asked(self) -> list[str]:
        return [body["messages"][-1]["content"] for body in self.model.asked]


@pytest.fixture
def scene(make_assistant: Maker) -> Iterator[Scene]:
    go_on = threading.Event()

    def story(body: dict[str, Any]) -> Iterator[str]:
        yield FIRST_WORDS
        go_on.wait(120)

    model = ModelServer(answer=story)
    with Server(make_model_app(model), "127.0.0.1", 0) as running:
        made = make_assistant(
            {
                "MODEL_PATH": "",
                "ASSISTANT_BACKEND_URL": f"{running.url}/v1",
                "ASSISTANT_PARALLEL": "4",
                "ASSISTANT_ANSWER_CACHE_SECONDS": "600",
                # The process' own time is longer; nobody here need wait for it.
                "GUNICORN_CMD_ARGS": "--graceful-timeout=10",
            }
        )
        (made.directory / "secrets" / "backend_api_key").write_text(model.key + "\n")
        made.start()
        try:
            yield Scene(made, model)
        finally:
            go_on.set()


def test_who_still_waits_when_the_process_must_end_is_told_to_try_again(scene: Scene) -> None:
    assistant = scene.assistant
    visitor = Visitor(assistant)
    number = visitor.say("C")
    whole, streamed = scene.ask("A"), scene.ask("B", stream=True)
    until("the model has the three of them", lambda: sorted(scene.asked()) == ["A", "B", "C"])
    follower = scene.ask("A")
    page = visitor.client.stream("GET", f"/chat/messages/{number}/stream")
    with page as shown:
        stream = streamed.getresponse()
        assert FIRST_WORDS in _read_until(stream, FIRST_WORDS)
        lines = shown.iter_lines()
        until("the page shows words", lambda: FIRST_WORDS in next(lines))
        # Connections are taken in turn: the follower's was before this one.
        assert assistant.get("/healthz").status_code == 200
        assert assistant.process is not None
        assistant.process.terminate()
        for call in (whole, follower):
            response = call.getresponse()
            assert (response.status, response.getheader("Content-Type")) == (503, "application/json")
            assert int(response.getheader("Retry-After", "0")) > 0
            _is_the_reason(json.load(response))
        events = stream.read().decode().strip().split("\n\n")
        assert "[DONE]" not in events[-1]
        _is_the_reason(json.loads(events[-1].removeprefix("data: ")))
        assert not any("end" in json.loads(line) for line in lines), "the page asks again"
    assert assistant.process.wait(60) == 0
    assert len(scene.asked()) == 3, "the follower asked nobody"
    # Nobody waits for the calls any more; the chat's question is taken up after the restart.
    rows = assistant.rows(
        "SELECT inbox.text, inbox.state, inbox.attempts, outbox.detail"
        " FROM inbox LEFT JOIN outbox ON outbox.inbox_id = inbox.id ORDER BY inbox.text"
    )
    assert [(text, state, attempts) for text, state, attempts, _ in rows] == [
        ("A", "done", 1),
        ("B", "done", 1),
        ("C", "pending", 0),
    ]
    assert [json.loads(row[3])["finish_reason"] for row in rows[:2]] == ["cancelled", "cancelled"]
    assert assistant.rows("SELECT count(*) FROM conversations WHERE lease_token IS NOT NULL") == [(0,)]


def _read_until(response: HTTPResponse, words: str) -> str:
    text = ""
    while words not in text:
        line = response.readline().decode()
        assert line, f"the stream ended: {text}"
        text += line
    return text


def _is_the_reason(value: dict[str, Any]) -> None:
    error = value["error"]
    assert (error["type"], error["code"]) == ("server_error", "stopping")
    assert "try again" in error["message"]
