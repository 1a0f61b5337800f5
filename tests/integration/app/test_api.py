"""The API as OpenAI's clients use it: streamed, limited, refused, given up."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.app.conftest import Maker
from tests.integration.app.process import SECRETS, Assistant, until

HEADERS = {"Authorization": f"Bearer {SECRETS['api_token']}"}
PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def api(make_assistant: Maker) -> Iterator[Assistant]:
    # One answer at a time, so that a test can fill the line.
    made = make_assistant(
        {"ASSISTANT_PARALLEL": "1", "ASSISTANT_MAX_TOKENS": "250", "ASSISTANT_THREADS": "1"}
    )
    made.start()
    yield made
    assert made.stop() == 0


def body(text: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "temperature": 0, **more}


def post(api: Assistant, **more: Any) -> dict[str, Any]:
    response = api.post(PATH, json=body(**more), headers=HEADERS)
    assert response.status_code == 200, response.text
    value: dict[str, Any] = response.json()
    return value


def text_of(value: dict[str, Any]) -> str:
    return str(value["choices"][0]["message"]["content"])


def stream(api: Assistant, **more: Any) -> list[dict[str, Any]]:
    """The chunks of a streamed answer, after a look at the form."""
    request = {"json": body(stream=True, **more), "headers": HEADERS, "timeout": 30}
    client = httpx.Client(trust_env=False)
    with client, client.stream("POST", f"{api.url}{PATH}", **request) as response:  # type: ignore[arg-type]
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["X-Accel-Buffering"] == "no"
        events = response.read().decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    return [json.loads(e.removeprefix("data: ")) for e in events[:-2]]


def test_stream_says_what_the_whole_answer_says(api: Assistant) -> None:
    whole = post(api)
    chunks = stream(api)
    assert {c["object"] for c in chunks} == {"chat.completion.chunk"}
    assert len({c["id"] for c in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    pieces = [c["choices"][0]["delta"].get("content", "") for c in chunks]
    assert "".join(pieces) == text_of(whole)
    assert len([p for p in pieces if p]) > 1, "it comes in pieces"
    reasons = [c["choices"][0]["finish_reason"] for c in chunks]
    assert reasons == [None] * (len(chunks) - 1) + [whole["choices"][0]["finish_reason"]]
    assert not any("usage" in c for c in chunks)


def test_stream_is_in_the_outbox_too(api: Assistant) -> None:
    chunks = stream(api)
    number = chunks[0]["id"].removeprefix("chatcmpl-")
    rows = api.rows(
        "SELECT o.text, i.state FROM outbox o JOIN inbox i ON i.id = o.inbox_id "
        f"WHERE i.message_id = '{number}'"
    )
    assert rows == [("".join(c["choices"][0]["delta"].get("content", "") for c in chunks), "done")]


def test_stream_with_usage(api: Assistant) -> None:
    *chunks, last = stream(api, stream_options={"include_usage": True})
    assert last["choices"] == []
    assert last["usage"] == post(api)["usage"]
    assert all(c["usage"] is None for c in chunks)


def test_limits_and_choices(api: Assistant) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        value = post(api, **{name: 3})
        assert (value["usage"]["completion_tokens"], value["choices"][0]["finish_reason"]) == (3, "length")
    text = text_of(post(api))
    stop = text[4:8]
    for given in (stop, [stop, "never"]):
        value = post(api, stop=given)
        assert text_of(value) == text[: text.index(stop)].rstrip()
        assert value["choices"][0]["finish_reason"] == "stop"
    warm = {"temperature": 1.5, "top_p": 1, "top_k": 0, "min_p": 0}
    one, same, other = (text_of(post(api, **warm, seed=s)) for s in (1, 1, 2))
    assert one == same != other
    assert text_of(post(api, response_format={"type": "json_object"})).startswith("{")


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"top_p": 2}, "top_p"),
        ({"seed": "x"}, "seed"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": ""}, "stop"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"n": 2}, "n"),
    ],
)
def test_wrong_parameter_is_named(api: Assistant, more: dict[str, Any], parameter: str) -> None:
    response = api.post(PATH, json=body(**more), headers=HEADERS)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == parameter


def test_full_line_refuses(api: Assistant) -> None:
    api.hold.touch()
    try:
        # ASSISTANT_PARALLEL is 1: four calls may wait.
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(post, api, text=f"HOLD {n}", max_tokens=2) for n in range(4)]
            query = "SELECT count(*) FROM inbox WHERE state = 'pending'"
            until("four calls wait", lambda: api.rows(query)[0][0] == 4)
            response = api.post(PATH, json=body(), headers=HEADERS)
            assert response.status_code == 429
            assert int(response.headers["Retry-After"]) > 0
            assert response.json()["error"]["type"] == "rate_limit_error"
            api.hold.unlink()
            assert all(text_of(w.result()) for w in waiting)
    finally:
        api.hold.unlink(missing_ok=True)
    assert text_of(post(api))


@pytest.mark.parametrize("streamed", [True, False])
def test_caller_that_goes_away_cancels(api: Assistant, streamed: bool) -> None:
    finished = _cancelled(api)
    api.hold.touch()
    try:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                f"{api.url}{PATH}",
                json=body("HOLD", stream=streamed),
                headers=HEADERS,
                timeout=httpx.Timeout(10, read=0.7),
                trust_env=False,
            )
    finally:
        # Longer than a waiting call needs to notice; it must not be begun after that.
        until("the call's end is noticed", lambda: _closed(api))
        api.hold.unlink()
    until("the message is cancelled", lambda: _cancelled(api) == finished + 1)
    assert 'channel="api",outcome="cancelled"' in api.get("/metrics").text
    assert text_of(post(api)), "the next one is answered"


def _cancelled(api: Assistant) -> int:
    return sum(
        json.loads(r[0]).get("finish_reason") == "cancelled" for r in api.rows("SELECT detail FROM outbox")
    )


def _closed(api: Assistant) -> bool:
    """Whether the server has closed its end of the connection (/proc/net/tcp: CLOSE_WAIT is 08)."""
    port = f":{api.port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return not any(f[1].endswith(port) and f[3] == "08" for f in map(str.split, lines))
