"""The parts of the backend for a model server elsewhere, each by itself."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from assistant.inference.backend import Options, RequestError
from assistant.inference.remote.asking import Conversation, body, estimate
from assistant.inference.remote.breaker import CircuitBreaker, CircuitOpen, State
from assistant.inference.remote.endpoint import base_url
from assistant.inference.remote.errors import (
    ContextOverflow,
    EndpointError,
    RateLimited,
    Refused,
    UnsupportedParameter,
    refusal,
    seconds_to_wait,
)
from assistant.inference.remote.sse import MAX_EVENT_BYTES, EventReader, EventTooLong
from assistant.messages import Turn

STREAM = (
    '\ufeffdata: {"a": "你好\u2028\x85🎉"}\n\n: comment\nevent: x\nid: 7\ndata:one\ndata: two\n\n\n'
    "data\n\ndata: no end"
)
EVENTS = ['{"a": "你好\u2028\x85🎉"}', "one\ntwo"]


def read(pieces: Sequence[bytes]) -> list[str]:
    reader = EventReader()
    return [event for piece in pieces for event in reader.push(piece)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_do_not_depend_on_where_the_bytes_are_cut(end: str) -> None:
    raw = STREAM.replace("\n", end).encode()
    assert read([raw]) == EVENTS
    assert read([raw[n : n + 1] for n in range(len(raw))]) == EVENTS
    chance = random.Random(3)
    for _ in range(200):
        cuts = sorted(chance.sample(range(len(raw)), 6))
        assert read([raw[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]) == EVENTS


def test_event_is_given_as_soon_as_it_ends() -> None:
    reader = EventReader()
    assert reader.push(b"data: a\n") == []
    assert reader.push(b"\n") == ["a"]


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 65536, b"data: " + b"x" * 65536 + b"\n"])
def test_event_without_an_end_does_not_fill_the_memory(piece: bytes) -> None:
    reader = EventReader()
    with pytest.raises(EventTooLong):
        for _ in range(MAX_EVENT_BYTES // len(piece) + 2):
            reader.push(piece)


class Circuit:
    """A breaker with a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.breaker = CircuitBreaker(failures=3, pause=10.0, clock=lambda: self.now)

    def call(self, error: BaseException | None = None) -> None:
        try:
            with self.breaker.guard():
                if error is not None:
                    raise error
        except (EndpointError, RequestError, RateLimited, KeyboardInterrupt) as caught:
            assert caught is error

    @property
    def state(self) -> State:
        return self.breaker.state

    def opened(self) -> "Circuit":
        for _ in range(3):
            self.call(EndpointError())
        return self


def test_circuit_opens_after_failures_in_a_row() -> None:
    circuit = Circuit()
    for _ in range(3):
        circuit.call(EndpointError())
        circuit.call(EndpointError())
        assert circuit.state is State.CLOSED
        circuit.call()
    assert circuit.opened().state is State.OPEN
    with pytest.raises(CircuitOpen) as caught:
        circuit.call()
    assert caught.value.retry_after == 10.0


@pytest.mark.parametrize("error", [RateLimited("429"), KeyboardInterrupt()])
def test_what_says_nothing_about_the_endpoint_counts_neither_way(error: BaseException) -> None:
    circuit = Circuit()
    circuit.call(EndpointError())
    circuit.call(EndpointError())
    for _ in range(9):
        circuit.call(error)
    assert circuit.state is State.CLOSED
    circuit.call(EndpointError())
    assert circuit.state is State.OPEN


def test_refusal_of_one_request_shows_that_the_endpoint_is_well() -> None:
    circuit = Circuit()
    for _ in range(9):
        circuit.call(EndpointError())
        circuit.call(Refused("HTTP 400"))
    assert circuit.state is State.CLOSED


def test_half_open_lets_one_through_which_decides() -> None:
    circuit = Circuit().opened()
    circuit.now = 10.0
    assert circuit.state is State.HALF_OPEN
    with circuit.breaker.guard(), pytest.raises(CircuitOpen):
        circuit.call()
    assert circuit.state is State.CLOSED
    circuit.opened().now = 30.0
    circuit.call(EndpointError())
    assert circuit.state is State.OPEN, "one failure is enough now"
    circuit.now = 39.9
    with pytest.raises(CircuitOpen):
        circuit.call()
    circuit.now = 40.0
    circuit.call(RateLimited("429"))
    assert circuit.state is State.HALF_OPEN, "the next one decides"
    circuit.call()
    assert circuit.state is State.CLOSED


def test_retry_after_is_seconds_or_a_date() -> None:
    assert seconds_to_wait({"retry-after": "7"}) == 7.0
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 50 < (seconds_to_wait({"retry-after": later}) or 0) <= 60
    assert seconds_to_wait({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    for wrong in ("", "soon", "-1", "²"):
        assert seconds_to_wait({"retry-after": wrong}) is None


# Status and body, as the servers' documents and issue trackers show them.
OVERFLOWS = {
    "openai": (400, b'{"error": {"message": "...", "param": "messages", "code": "context_length_exceeded"}}'),
    "vllm": (
        400,
        b'{"error": {"message": "This model\'s maximum context length is 4096 tokens. However, you requested '
        b'6379 tokens.", "type": "BadRequestError", "param": null, "code": 400}}',
    ),
    "older vllm": (400, b'{"object": "error", "message": "maximum context length is 4096", "code": 400}'),
    "newer vllm": (
        400,
        b'{"error": {"message": "You passed 25 input tokens and requested 1000 output tokens. However, '
        b'the model\'s context length is only 1024 tokens.", "param": "input_tokens", "code": 400}}',
    ),
    "llama-server": (400, b'{"error": {"code": 400, "type": "exceed_context_size_error", "n_ctx": 256}}'),
    "older llama-server": (500, b'{"error": {"code": 500, "type": "exceed_context_size_error"}}'),
}


@pytest.mark.parametrize("server", OVERFLOWS)
def test_full_context_is_recognised(server: str) -> None:
    assert isinstance(refusal(*_answer(OVERFLOWS[server])), ContextOverflow)


@pytest.mark.parametrize(
    ("raw", "parameter"),
    [
        (b'{"error": {"message": "Unrecognized request argument supplied: top_k", "param": null}}', "top_k"),
        (b'{"error": {"code": "unsupported_parameter", "param": "max_tokens"}}', "max_tokens"),
        (
            b'{"detail": [{"type": "extra_forbidden", "loc": ["body", "min_p"], "msg": "Extra inputs"}]}',
            "min_p",
        ),
    ],
)
def test_parameter_that_is_not_taken_is_recognised(raw: bytes, parameter: str) -> None:
    found = refusal(*_answer((400, raw)))
    assert isinstance(found, UnsupportedParameter)
    assert found.parameter == parameter


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"error": "model is unknown"}',
        b'{"error": {"message": "max_tokens is too large", "param": "max_tokens"}}',
        b"\xff" * 9,
    ],
)
def test_other_refusals_quote_nothing(raw: bytes) -> None:
    found = refusal(*_answer((400, raw)))
    assert type(found) is Refused
    assert str(found) in {"HTTP 400", "HTTP 400 max_tokens"}


def _answer(found: tuple[int, bytes]) -> tuple[int, dict[str, str], bytes, frozenset[str]]:
    return found[0], {}, found[1], frozenset({"max_tokens", "top_k", "min_p"})


def test_estimate_is_on_the_safe_side() -> None:
    # What Qwen 2.5's tokenizer makes of them: 9 and 8 tokens.
    assert estimate("The quick brown fox jumps over the lazy dog.") >= 9
    assert estimate("今天天气很好，我们去公园玩吧。") >= 8
    assert len(Conversation([Turn("user", "")])) > 0


def test_body_has_what_somebody_chose() -> None:
    plain = body("m", [Turn("user", "x")], Options(9, 0.1, 1.0), frozenset())
    assert set(plain) == {"model", "messages", "stream", "stream_options", "max_tokens", "temperature"}
    chosen = Options(9, 0.1, 1.0, top_k=1, min_p=0.0, repetition_penalty=1.1, seed=0)
    more = body("m", [], chosen, frozenset({"max_tokens", "top_k"}))
    assert (more["min_p"], more["repetition_penalty"], more["repeat_penalty"], more["seed"]) == (
        0.0,
        1.1,
        1.1,
        0,
    )
    assert more["max_completion_tokens"] == 9
    assert not {"max_tokens", "top_k", "top_p"} & set(more)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://10.0.0.5:8000", "http://10.0.0.5:8000/v1"),
        ("http://10.0.0.5:8000/v1", "http://10.0.0.5:8000/v1"),
        ("https://models.example.org/api/v3", "https://models.example.org/api/v3"),
    ],
)
def test_address_without_a_path_gets_v1(given: str, used: str) -> None:
    assert base_url(given) == used
