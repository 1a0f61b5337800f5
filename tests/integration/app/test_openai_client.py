"""OpenAI's own Python client against our API: what it takes for granted must hold."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionUserMessageParam

from tests.integration.app.conftest import Maker
from tests.integration.app.process import SECRETS, Assistant, until


@pytest.fixture(scope="module")
def api(make_assistant: Maker) -> Iterator[Assistant]:
    # One answer at a time, so that a test can fill the line.
    made = make_assistant(
        {"ASSISTANT_PARALLEL": "1", "ASSISTANT_MAX_TOKENS": "250", "ASSISTANT_THREADS": "1"}
    )
    made.start()
    yield made
    assert made.stop() == 0


def connect(api: Assistant, key: str = SECRETS["api_token"]) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{api.url}/v1", api_key=key, max_retries=0, timeout=30)


@pytest.fixture
def client(api: Assistant, monkeypatch: pytest.MonkeyPatch) -> openai.OpenAI:
    monkeypatch.setenv("NO_PROXY", "*")
    return connect(api)


def user(text: str = "Hello") -> list[ChatCompletionUserMessageParam]:
    return [{"role": "user", "content": text}]


def ask(client: openai.OpenAI, text: str = "Hello", **more: object) -> ChatCompletion:
    arguments = {"model": "any", "messages": user(text), "temperature": 0, "max_tokens": 24, **more}
    completion: ChatCompletion = client.chat.completions.create(**arguments)  # type: ignore[call-overload]
    return completion


def test_models(client: openai.OpenAI, model_path: Path) -> None:
    models = list(client.models.list())
    assert [(m.id, m.object) for m in models] == [(model_path.stem, "model")]
    assert models[0].created > 0


def test_answer_and_usage(client: openai.OpenAI) -> None:
    completion = ask(client)
    choice = completion.choices[0]
    assert (completion.object, choice.index, choice.message.role) == ("chat.completion", 0, "assistant")
    assert choice.message.content
    assert choice.finish_reason in {"stop", "length"}
    usage = completion.usage
    assert usage is not None
    assert usage.prompt_tokens > 0
    assert 0 < usage.completion_tokens <= 24
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_stream_with_usage(client: openai.OpenAI) -> None:
    whole = ask(client)
    stream = client.chat.completions.create(
        model="any",
        messages=user(),
        temperature=0,
        max_tokens=24,
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    assert (last.choices, last.usage) == ([], whole.usage)
    assert {c.object for c in chunks} == {"chat.completion.chunk"}


def test_seed_stop_and_json(client: openai.OpenAI) -> None:
    one, same, other = (
        ask(client, temperature=1.5, top_p=1, seed=s).choices[0].message.content for s in (1, 1, 2)
    )
    assert one == same != other
    text = ask(client).choices[0].message.content or ""
    stop = text[4:8]
    stopped = ask(client, stop=[stop]).choices[0]
    assert (stopped.message.content, stopped.finish_reason) == (text[: text.index(stop)].rstrip(), "stop")
    answer = ask(client, response_format={"type": "json_object"}, max_tokens=200).choices[0]
    assert (answer.message.content or "").startswith("{")
    if answer.finish_reason == "stop":
        assert isinstance(json.loads(answer.message.content or ""), dict)


def test_wrong_token(api: Assistant, client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(connect(api, "wrong"))
    assert caught.value.code == "invalid_api_key"
    with pytest.raises(openai.AuthenticationError):
        list(connect(api, "wrong").models.list())


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"top_p": 2}, "top_p"),
        ({"n": 2}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ],
)
def test_bad_request(client: openai.OpenAI, more: dict[str, object], parameter: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **more)
    assert caught.value.param == parameter
    assert caught.value.type == "invalid_request_error"
    assert caught.value.code == "invalid_value"


def test_body_that_is_no_json(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post(
            "/chat/completions",
            cast_to=object,
            content=b"{",
            options={"headers": {"Content-Type": "application/json"}},
        )
    assert caught.value.code == "invalid_json"


def test_full_line(api: Assistant, client: openai.OpenAI) -> None:
    api.hold.touch()
    try:
        # ASSISTANT_PARALLEL is 1: four calls may wait.
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(ask, client, f"HOLD {n}", max_tokens=2) for n in range(4)]
            query = "SELECT count(*) FROM inbox WHERE state = 'pending'"
            until("four calls wait", lambda: api.rows(query)[0][0] == 4)
            with pytest.raises(openai.RateLimitError) as caught:
                ask(client)
            assert caught.value.code == "rate_limit_exceeded"
            assert int(caught.value.response.headers["Retry-After"]) > 0
            api.hold.unlink()
            assert all(w.result().choices[0].message.content for w in waiting)
    finally:
        api.hold.unlink(missing_ok=True)


def test_closing_the_stream_cancels(api: Assistant, client: openai.OpenAI) -> None:
    cancelled = "SELECT count(*) FROM outbox WHERE detail LIKE '%cancelled%'"
    before = api.rows(cancelled)[0][0]
    api.hold.touch()
    # The tiny model would be at its end before the server can see that its caller went.
    api.slow.touch()
    try:
        stream = client.chat.completions.create(
            model="any",
            messages=user("HOLD"),
            stream=True,
            max_tokens=250,
            extra_body={"min_p": 0, "top_k": 0},
        )
        assert next(iter(stream)).choices[0].delta.role == "assistant"
        stream.close()
    finally:
        api.hold.unlink(missing_ok=True)
    try:
        until("the answer is cancelled", lambda: api.rows(cancelled)[0][0] == before + 1)
    finally:
        api.slow.unlink()
    assert ask(client).choices[0].message.content
