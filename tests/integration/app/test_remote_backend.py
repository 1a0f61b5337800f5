"""The backend for a model server elsewhere, against one that enforces and fails as the real ones do."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from assistant.inference.backend import (
    Caller,
    InferenceError,
    Options,
    QueueFull,
    RequestError,
    Stopping,
)
from assistant.inference.remote import probe, retrying
from assistant.inference.remote.backend import RemoteBackend
from assistant.inference.remote.breaker import CircuitBreaker, CircuitOpen
from assistant.inference.remote.endpoint import Limits
from assistant.inference.remote.errors import (
    EndpointError,
    Forbidden,
    Moved,
    NoModel,
    NotFound,
    OutOfCredit,
    RateLimited,
    Refused,
    Unavailable,
    WrongKey,
)
from assistant.messages import Turn
from tests.emulators.model_server import PIECES, ModelServer, Trouble, make_model_app
from tests.emulators.server import Server
from tests.integration.app.process import until

TEXT = "".join(PIECES)
OPTIONS = Options(64, 0.5, 20.0)
HELLO = [Turn("system", "Be brief."), Turn("user", "Hello")]
BUSY = Trouble(503, {"message": "Loading model", "type": "unavailable_error"})
Make = Callable[..., RemoteBackend]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of this machine, and pauses that a test can wait for."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(retrying, "FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(probe, "INTERVAL_SECONDS", 0.1)
    monkeypatch.setattr(probe, "SHORT_INTERVAL_SECONDS", 0.05)


@pytest.fixture
def server() -> ModelServer:
    return ModelServer()


@pytest.fixture
def url(server: ModelServer) -> Iterator[str]:
    with Server(make_model_app(server), "127.0.0.1", 0) as running:
        yield running.url


@pytest.fixture
def make(server: ModelServer, url: str) -> Iterator[Make]:
    made: list[RemoteBackend] = []

    def start(**more: Any) -> RemoteBackend:
        arguments: dict[str, Any] = {
            "url": url,
            "model": "",
            "key": server.key,
            "context_tokens": 2048,
            "parallel": 4,
            "limit": 8,
            **more,
        }
        backend = RemoteBackend(arguments.pop("url"), **arguments)
        made.append(backend)
        backend.start()
        return backend

    yield start
    for backend in made:
        backend.stop()


def test_answer_comes_in_pieces_and_is_counted(server: ModelServer, make: Make) -> None:
    heard: list[str] = []
    completion = make().generate(HELLO, OPTIONS, Caller(on_text=heard.append))
    assert "".join(heard) == completion.text == TEXT
    assert len(heard) == len(PIECES)
    assert (completion.prompt_tokens, completion.completion_tokens) == (11, 7)
    assert completion.finish_reason == "stop"
    asked = server.asked[0]
    assert asked["model"] == "first-model", "the first that is listed"
    assert asked["messages"] == [{"role": t.role, "content": t.content} for t in HELLO]
    assert (asked["max_tokens"], asked["temperature"]) == (64, 0.5)
    assert not {"top_k", "min_p", "seed", "stop"} & set(asked), "only what somebody chose"


def test_choices_are_handed_on(server: ModelServer, make: Make) -> None:
    options = Options(9, 0.0, 20.0, top_p=0.5, seed=3, stop=("zzz",), json_object=True)
    make(model="second-model").generate(HELLO, options)
    asked = server.asked[0]
    assert asked["model"] == "second-model"
    assert (asked["top_p"], asked["seed"], asked["stop"]) == (0.5, 3, ["zzz"])
    assert asked["response_format"] == {"type": "json_object"}


def test_stop_text_ends_the_answer_where_the_server_does_not_heed_it(server: ModelServer, make: Make) -> None:
    completion = make().generate(HELLO, Options(64, 0.0, 20.0, stop=("an",)))
    assert (completion.text, completion.finish_reason) == (TEXT.partition("an")[0].rstrip(), "stop")


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(429, retry_after="0"),
        BUSY,
        Trouble(502),
        Trouble(504),
        Trouble(cut=0),
        Trouble(end=0),
    ],
)
def test_transient_failure_is_repeated(server: ModelServer, make: Make, trouble: Trouble) -> None:
    server.fail(trouble, trouble)
    assert make().generate(HELLO, OPTIONS).text == TEXT
    assert len(server.asked) == 3


def test_retry_after_is_waited_for(server: ModelServer, make: Make) -> None:
    server.fail(Trouble(429, retry_after="1"))
    started = time.monotonic()
    assert make().generate(HELLO, OPTIONS).text == TEXT
    assert time.monotonic() - started >= 1.0


def test_retry_after_beyond_the_deadline_is_not_waited_for(server: ModelServer, make: Make) -> None:
    server.fail(Trouble(503, retry_after="3600"))
    with pytest.raises(Unavailable) as caught:
        make().generate(HELLO, OPTIONS)
    assert caught.value.retry_after == 3600
    assert len(server.asked) == 1


def test_too_many_failures_end_it(server: ModelServer, make: Make) -> None:
    server.fail(*[Trouble(429)] * 9)
    with pytest.raises(RateLimited):
        make().generate(HELLO, OPTIONS)
    assert len(server.asked) == retrying.TRIES


def test_cut_in_mid_answer_is_not_repeated(server: ModelServer, make: Make) -> None:
    for trouble in (Trouble(cut=3), Trouble(end=3)):
        server.asked.clear()
        server.fail(trouble)
        heard: list[str] = []
        with pytest.raises(EndpointError):
            make().generate(HELLO, OPTIONS, Caller(on_text=heard.append))
        assert "".join(heard) == "".join(PIECES[:3])
        assert len(server.asked) == 1, "what was read cannot be taken back"


@pytest.mark.parametrize(
    ("trouble", "kind", "word"),
    [
        (Trouble(400, {"message": "bad", "param": "messages"}), Refused, ""),
        (Trouble(422, {"message": "bad"}), Refused, ""),
        (Trouble(401), WrongKey, "backend_api_key"),
        (Trouble(402), OutOfCredit, "backend_api_key"),
        (Trouble(429, {"code": "insufficient_quota"}), OutOfCredit, "backend_api_key"),
        (Trouble(403), Forbidden, "ASSISTANT_BACKEND_MODEL"),
        (Trouble(404), NotFound, "ASSISTANT_BACKEND_MODEL"),
        (Trouble(308), Moved, "ASSISTANT_BACKEND_URL"),
        (Trouble(500), EndpointError, ""),
    ],
)
def test_permanent_failure_is_told_apart_and_not_repeated(
    server: ModelServer,
    make: Make,
    caplog: pytest.LogCaptureFixture,
    trouble: Trouble,
    kind: type[InferenceError],
    word: str,
) -> None:
    server.fail(trouble)
    with pytest.raises(InferenceError) as caught:
        make().generate(HELLO, OPTIONS)
    assert type(caught.value) is kind
    assert isinstance(caught.value, RequestError) == (kind is Refused)
    assert len(server.asked) == 1
    if word:
        assert any(word in r.getMessage() for r in caplog.records if r.levelname == "ERROR")


def test_nobody_listens(make: Make) -> None:
    backend = make(url="http://127.0.0.1:9", model="m")
    with pytest.raises(Unavailable):
        backend.generate(HELLO, OPTIONS)
    assert not backend.ready


def test_slow_first_byte_and_slow_pieces(server: ModelServer, make: Make) -> None:
    backend = make(limits=Limits(first_byte=0.3, between=0.3))
    for trouble in (Trouble(wait=1.0), Trouble(pause=1.0)):
        server.fail(trouble)
        with pytest.raises(EndpointError, match="did not come within"):
            backend.generate(HELLO, OPTIONS)
    assert len(server.asked) == 2, "asking a slow server twice would double its load"


def test_deadline_keeps_what_was_made(server: ModelServer, make: Make) -> None:
    backend = make()
    until("it is ready", lambda: backend.ready)
    server.fail(Trouble(pause=0.4))
    completion = backend.generate(HELLO, Options(64, 0.0, 1.0))
    assert completion.finish_reason == "length"
    assert completion.text and TEXT.startswith(completion.text)
    server.fail(Trouble(wait=1.5))
    with pytest.raises(InferenceError, match="deadline"):
        backend.generate(HELLO, Options(64, 0.0, 0.3))


def test_caller_that_leaves_closes_the_connection(server: ModelServer, make: Make) -> None:
    server.fail(Trouble(pause=0.3))
    heard: list[str] = []
    completion = make().generate(HELLO, OPTIONS, Caller(on_text=heard.append, cancelled=lambda: bool(heard)))
    assert completion.finish_reason == "cancelled"
    assert completion.text == "".join(heard)
    until("the server notices", lambda: server.left == 1)


def test_caller_that_leaves_while_nothing_comes(server: ModelServer, make: Make) -> None:
    backend = make()
    server.fail(Trouble(wait=3.0))
    gone = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(backend.generate, HELLO, OPTIONS, Caller(cancelled=gone.is_set))
        until("the server is asked", lambda: server.asked)
        gone.set()
        assert waiting.result(timeout=2).finish_reason == "cancelled"


def chunks(*texts: str, ascii_only: bool = False, end: str = "\n") -> bytes:
    events = [json.dumps({"choices": [{"delta": {"content": t}}]}, ensure_ascii=ascii_only) for t in texts]
    events.append('{"choices": [{"delta": {}, "finish_reason": "length"}]}')
    lines = [": keep-alive", *(f"data: {e}" for e in events), "data: [DONE]"]
    return "".join(f"{line}{end}{end}" for line in lines).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_characters_arrive_whole_from_single_bytes(server: ModelServer, make: Make, end: str) -> None:
    server.fail(Trouble(raw=chunks("你好", "，世界 🎉\u2028!", end=end)))
    heard: list[str] = []
    completion = make().generate(HELLO, OPTIONS, Caller(on_text=heard.append))
    assert "".join(heard) == completion.text == "你好，世界 🎉\u2028!"
    assert not any("\ufffd" in piece for piece in heard)
    assert completion.finish_reason == "length"
    assert completion.completion_tokens > 0, "an estimate where the server does not count"


def test_halves_of_a_character_in_two_chunks(server: ModelServer, make: Make) -> None:
    server.fail(Trouble(raw=chunks("a\ud83c", "\udf89b", "\x00c", ascii_only=True)))
    assert make().generate(HELLO, OPTIONS).text == "a🎉bc"


@pytest.mark.parametrize("raw", [b"data: nonsense\n\n", b'data: {"error": {"type": "server_error"}}\n\n'])
def test_error_in_the_stream(server: ModelServer, make: Make, raw: bytes) -> None:
    server.fail(Trouble(raw=raw))
    with pytest.raises(EndpointError):
        make().generate(HELLO, OPTIONS)


def talk(count: int) -> list[Turn]:
    turns = [Turn("user" if n % 2 == 0 else "assistant", f"turn {n} " * 20) for n in range(count)]
    return [Turn("system", "Be brief."), *turns]


def test_what_cannot_fit_is_not_sent(server: ModelServer, make: Make) -> None:
    make(context_tokens=512).generate(talk(41), OPTIONS)
    sent = server.asked[0]["messages"]
    assert len(server.asked) == 1
    assert sent[0]["role"] == "system"
    assert sent[1]["role"] == "user"
    assert sent[-1]["content"] == talk(41)[-1].content
    assert len(sent) < 20


def test_oldest_turns_are_dropped_when_the_server_says_so(server: ModelServer, make: Make) -> None:
    server.context = 900
    assert make(context_tokens=100_000).generate(talk(41), OPTIONS).text == TEXT
    assert len(server.asked) > 1
    lengths = [len(a["messages"]) for a in server.asked]
    assert lengths == sorted(lengths, reverse=True)
    assert server.asked[-1]["messages"][0]["content"] == "Be brief."
    assert server.asked[-1]["messages"][-1]["content"] == talk(41)[-1].content


def test_parameters_that_the_server_refuses_are_left_out(server: ModelServer, make: Make) -> None:
    backend = make()
    server.known -= {"max_tokens", "stream_options"}
    options = Options(33, 0.0, 20.0, top_k=5)
    assert backend.generate(HELLO, options).text == TEXT
    assert server.asked[-1]["max_completion_tokens"] == 33
    asked = len(server.asked)
    backend.generate(HELLO, options)
    assert len(server.asked) == asked + 1, "it is remembered"


def test_circuit_opens_and_closes_again(server: ModelServer, make: Make) -> None:
    backend = make(breaker=CircuitBreaker(failures=3, pause=0.5))
    until("it is ready", lambda: backend.ready)
    server.fail(*[Trouble(500)] * 3)
    for _ in range(3):
        with pytest.raises(EndpointError):
            backend.generate(HELLO, OPTIONS)
    with pytest.raises(CircuitOpen):
        backend.generate(HELLO, OPTIONS)
    assert not backend.ready
    assert len(server.asked) == 3, "it is left alone"
    until("it may be tried again", lambda: backend.ready)
    assert backend.generate(HELLO, OPTIONS).text == TEXT
    assert backend.generate(HELLO, OPTIONS).text == TEXT


def test_bounded(server: ModelServer, make: Make) -> None:
    backend = make(parallel=2, limit=4)
    server.fail(*[Trouble(wait=0.5)] * 4)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(backend.generate, HELLO, OPTIONS) for _ in range(4)]
        until("two are asked for", lambda: len(server.asked) == 2)
        with pytest.raises(QueueFull) as full:
            backend.generate(HELLO, OPTIONS)
        assert full.value.retry_after > 0
        assert [w.result().text for w in waiting] == [TEXT] * 4
    assert server.most_running <= 2
    assert backend.generate(HELLO, OPTIONS).text == TEXT


def test_turn_that_does_not_come_before_the_deadline(server: ModelServer, make: Make) -> None:
    backend = make(parallel=1)
    server.fail(Trouble(wait=1.5))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(backend.generate, HELLO, OPTIONS)
        until("the first is asked for", lambda: server.asked)
        with pytest.raises(QueueFull):
            backend.generate(HELLO, Options(64, 0.0, 0.2))
        assert first.result().text == TEXT


def test_stop_ends_what_is_being_generated(server: ModelServer, make: Make) -> None:
    backend = make()
    server.fail(Trouble(wait=3.0))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(backend.generate, HELLO, OPTIONS)
        until("the server is asked", lambda: server.asked)
        backend.stop()
        with pytest.raises(Stopping):
            waiting.result(timeout=2)
    with pytest.raises(Stopping):
        backend.generate(HELLO, OPTIONS)
    assert not backend.ready


def test_ready_follows_the_probe(server: ModelServer, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    backend = make()
    until("it is ready", lambda: backend.ready)
    key, server.key = server.key, "another"
    until("the key is refused", lambda: not backend.ready)
    assert any("vault_backend_api_key" in r.getMessage() for r in caplog.records)
    server.key = key
    until("it is ready again", lambda: backend.ready)


def test_server_without_a_list_of_models(server: ModelServer, make: Make) -> None:
    server.models = None
    named = make(model="first-model")
    until("it is ready", lambda: named.ready)
    assert named.generate(HELLO, OPTIONS).text == TEXT
    nameless = make()
    with pytest.raises(NoModel) as caught:
        nameless.generate(HELLO, OPTIONS)
    assert "ASSISTANT_BACKEND_MODEL" in caught.value.advice
    assert not nameless.ready


def test_page_of_something_else(make: Make, server: ModelServer, url: str) -> None:
    backend = make(url=f"{url}/other/v1", model="m")
    with pytest.raises(NotFound):
        backend.generate(HELLO, OPTIONS)
