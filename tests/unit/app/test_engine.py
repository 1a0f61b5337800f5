"""Continuous batching over a context without a model: who is decoded when, and what becomes of faults."""

import pytest

import assistant.inference.engine as engine_module
from assistant.inference.backend import Caller, InferenceError, Options, QueueFull
from assistant.inference.engine import (
    PIECE_SECONDS,
    PROMPT_SHARE,
    PROMPT_TOKENS,
    Engine,
    Words,
)
from tests.unit.app.fakes import SYSTEM_TEXT, FakeDecoder, FakeSampler, fake_engine, request, run


@pytest.fixture
def decoder() -> FakeDecoder:
    return FakeDecoder()


@pytest.fixture(autouse=True)
def no_sampler_is_left() -> object:
    FakeSampler.open = 0
    yield
    assert FakeSampler.open == 0


def test_answers_at_once(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder)
    requests = [request(f"q{n}", words=3) for n in range(4)]
    for one in requests:
        engine.submit(one)
    run(engine)
    assert [r.result.result().text for r in requests] == ["aaa"] * 4
    completion = requests[0].result.result()
    assert completion.prompt_tokens == len(SYSTEM_TEXT) + 2
    assert completion.finish_reason == "stop"
    # The system prompt, one step for the prompts, and one for each of three words.
    assert [len(b) for b in decoder.batches] == [1, 4, 4, 4, 4]
    assert all(c.start >= len(SYSTEM_TEXT) for b in decoder.batches[1:] for c in b), "it is read only once"


def test_long_system_prompt_is_read_in_parts(decoder: FakeDecoder) -> None:
    Engine(decoder, _words(), [65] * 700, parallel=1, sequences=1, cells=2000)
    assert [len(b[0].tokens) for b in decoder.batches] == [300, 300, 100]


def _words() -> Words:
    return Words(piece=lambda t: b"", is_end=lambda t: True, sampler=FakeSampler)


def test_long_prompt_does_not_stall_others(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder)
    short = request("q", words=100, limit=200)
    engine.submit(short)
    engine.step()
    long = request("x" * 500, words=1)
    engine.submit(long)
    start = len(decoder.batches)
    while not long.result.done():
        engine.step()
    for batch in decoder.batches[start:]:
        answer, *prompt = batch
        assert len(answer.tokens) == 1, "the running answer gets a word in every step"
        assert sum(len(c.tokens) for c in prompt) <= PROMPT_SHARE
    assert len(decoder.batches) - start == 500 // PROMPT_SHARE + 2
    run(engine)
    assert short.result.result().text == "a" * 100


def test_prompts_are_read_in_turn(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder)
    for length in (400, 400, 10):
        engine.submit(request("x" * length, words=0))
    engine.step()
    first = decoder.batches[-1]
    assert [len(c.tokens) for c in first] == [PROMPT_SHARE, PROMPT_SHARE, 10]
    assert sum(len(c.tokens) for c in first) <= PROMPT_TOKENS
    run(engine)


def test_every_prompt_gets_its_turn_beside_answers(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder, cells=3000)
    engine.submit(request("q", words=90, limit=100))
    engine.step()
    for _ in range(3):
        engine.submit(request("x" * 300, words=0))
    begun: set[int] = set()
    for _ in range(3):
        engine.step()
        begun.update(c.sequence for c in decoder.batches[-1][1:])
    assert len(begun) == 3, "one after the other, and none waits for another's end"
    run(engine)


def test_more_than_fit_wait_in_line(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder, parallel=2)
    requests = [request(f"q{n}", words=n + 1) for n in range(5)]
    for one in requests:
        engine.submit(one)
    engine.step()
    assert len(decoder.batches[-1]) == 2
    run(engine)
    assert [r.result.result().completion_tokens for r in requests] == [2, 3, 4, 5, 6]


def test_first_in_line_is_not_overtaken(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder, cells=400)
    running, large, small = request("a", words=20, limit=150), request("b" * 200), request("c")
    for one in (running, large, small):
        engine.submit(one)
    while not running.result.done():
        engine.step()
        assert not small.result.done()
    run(engine)
    assert large.result.result().text == small.result.result().text == "aaa"


def test_limit_of_tokens(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder)
    one = request("q", words=50, limit=7)
    engine.submit(one)
    run(engine)
    completion = one.result.result()
    assert (completion.text, completion.finish_reason) == ("a" * 7, "length")


def test_stop_text(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder)
    one = request("q", words=50)
    one.options = Options(100, 0.0, 60.0, seed=50, stop=("aaaa",))
    engine.submit(one)
    run(engine)
    completion = one.result.result()
    assert (completion.text, completion.completion_tokens, completion.finish_reason) == ("", 4, "stop")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The engine's clock: a test sets it, and nothing else moves it."""
    now = [100.0]
    monkeypatch.setattr(engine_module.time, "monotonic", lambda: now[0])
    return now


def test_a_piece_is_what_was_said_since_the_one_before(decoder: FakeDecoder, clock: list[float]) -> None:
    heard: list[str] = []
    engine = fake_engine(decoder)
    one = request("q", words=20, caller=Caller(on_text=heard.append))
    # The request's deadline is on the real clock.
    one.deadline = clock[0] + 60
    engine.submit(one)
    for _ in range(3):
        engine.step()
    assert heard == ["a"], "the first word is not held back"
    clock[0] += PIECE_SECONDS
    engine.step()
    assert heard[1:] == ["aa"]
    clock[0] += PIECE_SECONDS / 2
    engine.step()
    assert len(heard) == 2
    run(engine)
    assert "".join(heard) == one.result.result().text == "a" * 20
    assert len(heard) == 3, "the end brings the rest"


def test_caller_hears_every_piece_and_may_leave(
    decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "PIECE_SECONDS", 0.0)
    heard: list[str] = []
    engine = fake_engine(decoder)
    leaver = request("q", words=99, caller=Caller("", heard.append, lambda: len(heard) >= 5))
    other = request("r", words=20)
    engine.submit(leaver)
    engine.submit(other)
    run(engine)
    completion = leaver.result.result()
    assert (completion.text, completion.finish_reason) == ("aaaaa", "cancelled")
    assert "".join(heard) == completion.text
    assert other.result.result().text == "a" * 20


def test_who_leaves_the_line_is_never_started(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder, parallel=1)
    first, gone = request("q", words=5), request("r", caller=Caller(cancelled=lambda: True))
    engine.submit(first)
    engine.submit(gone)
    engine.step()
    assert gone.result.result().finish_reason == "cancelled"
    run(engine)
    assert {c.sequence for b in decoder.batches for c in b} == {0, 1}


def test_deadline(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder)
    late = request("q", deadline=0.0)
    engine.submit(late)
    run(engine)
    with pytest.raises(QueueFull):
        late.result.result()
    reading = request("x" * 900)
    engine.submit(reading)
    engine.step()
    reading.deadline = 0.0
    run(engine)
    with pytest.raises(InferenceError, match="deadline"):
        reading.result.result()
    begun = request("r", words=99)
    engine.submit(begun)
    for _ in range(4):
        engine.step()
    begun.deadline = 0.0
    run(engine)
    assert begun.result.result().finish_reason == "length"
    assert begun.result.result().text == "aaaa"


def test_failed_decode_fails_only_its_own_request(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder)
    baseline = engine.cache.cells
    decoder.poison = {ord("!")}
    requests = [request(t, words=5) for t in ("one", "bad!", "three")]
    for one in requests:
        engine.submit(one)
    run(engine)
    assert [r.result.result().text for r in requests if r is not requests[1]] == ["aaaaa"] * 2
    with pytest.raises(InferenceError, match="llama_decode returned -3"):
        requests[1].result.result()
    engine.cache.evict()
    assert engine.cache.cells == baseline
    after = request("after")
    engine.submit(after)
    run(engine)
    assert after.result.result().text == "aaa"


def test_fault_of_one_caller_or_sampler_fails_only_its_own_request(decoder: FakeDecoder) -> None:
    def broken(_text: str) -> None:
        raise BrokenPipeError

    engine = fake_engine(decoder)
    bad, good = request("q", caller=Caller(on_text=broken)), request("r")
    for one in (bad, good):
        engine.submit(one)
    run(engine)
    with pytest.raises(InferenceError, match="BrokenPipeError"):
        bad.result.result()
    assert good.result.result().text == "aaa"


def test_abandon_fails_all(decoder: FakeDecoder) -> None:
    engine = fake_engine(decoder, parallel=1)
    requests = [request("q", words=50), request("r")]
    for one in requests:
        engine.submit(one)
    engine.step()
    engine.abandon(lambda: InferenceError("over"))
    assert engine.idle
    for one in requests:
        with pytest.raises(InferenceError, match="over"):
            one.result.result()
