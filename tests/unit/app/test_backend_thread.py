"""The thread that owns the model."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from assistant.inference.backend import Caller, InferenceError, Options, QueueFull, RequestError, Stopping
from assistant.inference.context import Chunk
from assistant.inference.embedded import EmbeddedBackend
from assistant.messages import Turn
from tests.unit.app.fakes import FakeModel

SYSTEM = Turn("system", "sys")
OPTIONS = Options(8, 0.0, 60.0, seed=3)
FAULTS: dict[str, type[BaseException]] = {"fault": MemoryError, "exit": SystemExit}


class Model(FakeModel):
    def __init__(self) -> None:
        super().__init__()
        self.threads = {threading.get_ident()}
        decode = self.decoder.decode

        def checked(chunks: Sequence[Chunk]) -> list[int]:
            self.threads.add(threading.get_ident())
            for chunk in chunks:
                text = "".join(map(chr, chunk.tokens))
                if text in FAULTS:
                    raise FAULTS[text]
            return decode(chunks)

        self.decoder.decode = checked  # type: ignore[method-assign]

    def prompt(self, turns: Sequence[Turn], max_tokens: int) -> list[int]:
        if turns[-1].content == "refuse":
            raise RequestError("no")
        return super().prompt(turns, max_tokens)


def make(**options: int) -> tuple[EmbeddedBackend, list[Model], list[Exception]]:
    models: list[Model] = []
    failures: list[Exception] = []

    def load() -> Model:
        models.append(Model())
        return models[0]

    backend = EmbeddedBackend(load, [SYSTEM], failures.append, **options)
    backend.start()
    return backend, models, failures


def ask(backend: EmbeddedBackend, word: str, ends: list[type[BaseException] | str], caller: Caller) -> None:
    try:
        ends.append(backend.generate([Turn("user", word)], Options(30, 0.0, 60.0, seed=10_000), caller).text)
    except InferenceError as error:
        ends.append(type(error))


def held() -> tuple[Caller, threading.Event, Callable[[], None]]:
    """A caller that holds the model's thread at its first word."""
    started, go_on = threading.Event(), threading.Event()

    def wait(_text: str) -> None:
        started.set()
        go_on.wait(20)

    return Caller(on_text=wait), started, go_on.set


def test_one_thread_creates_and_decodes_and_survives_faults() -> None:
    backend, models, failures = make()
    assert backend.generate([Turn("user", "hi")], OPTIONS).text == "aaa"
    assert backend.ready
    for word, kind in (("fault", InferenceError), ("refuse", RequestError), ("exit", InferenceError)):
        with pytest.raises(kind):
            backend.generate([Turn("user", word)], OPTIONS)
    assert backend.generate([Turn("user", "still here")], OPTIONS).text == "aaa"
    backend.stop()
    assert len(models[0].threads) == 1
    assert threading.get_ident() not in models[0].threads
    assert models[0].closed
    assert not backend.ready
    assert failures == []


def test_stop_ends_what_is_being_generated_and_what_waits() -> None:
    backend, _, _ = make()
    ends: list[type[BaseException] | str] = []
    caller, started, go_on = held()
    threads = [threading.Thread(target=ask, args=(backend, "long", ends, caller)) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert started.wait(20)
    stopper = threading.Thread(target=backend.stop)
    stopper.start()
    while not backend._stopping.is_set():
        pass
    go_on()
    for thread in (stopper, *threads):
        thread.join(20)
    assert ends == [Stopping] * 6
    with pytest.raises(Stopping):
        backend.generate([Turn("user", "too late")], OPTIONS)


def test_full_queue_refuses() -> None:
    backend, _, _ = make(limit=2)
    ends: list[type[BaseException] | str] = []
    caller, started, go_on = held()
    threads = [threading.Thread(target=ask, args=(backend, "long", ends, caller)) for _ in range(2)]
    threads[0].start()
    assert started.wait(20)
    threads[1].start()
    while backend._room._value:  # type: ignore[attr-defined]
        pass
    with pytest.raises(QueueFull) as full:
        backend.generate([Turn("user", "one too many")], OPTIONS)
    assert full.value.retry_after > 0
    go_on()
    for thread in threads:
        thread.join(20)
    assert ends == ["a" * 30] * 2
    assert backend.generate([Turn("user", "there is room again")], OPTIONS).text == "aaa"
    backend.stop()


def test_answer_has_at_most_half_of_the_context() -> None:
    backend, _, _ = make()
    completion = backend.generate([Turn("user", "hi")], Options(1000, 0.0, 60.0, seed=500))
    assert (completion.completion_tokens, completion.finish_reason) == (32, "length")
    backend.stop()


def test_load_failure_is_reported() -> None:
    failures: list[Exception] = []

    def load() -> Model:
        raise ValueError("no such file")

    backend = EmbeddedBackend(load, [SYSTEM], failures.append)
    backend.start()
    with pytest.raises(InferenceError):
        backend.generate([Turn("user", "hi")], OPTIONS)
    assert not backend.ready
    assert [type(f) for f in failures] == [ValueError]
    backend.stop()


@pytest.mark.parametrize(
    ("word", "end"), [("hi", "aaa"), ("fault", InferenceError), ("refuse", RequestError)]
)
def test_question_that_waits_for_the_model_warms_it_up(word: str, end: object) -> None:
    """The greeting of the warm-up is not decoded before it; its own fault is no fault of the model."""
    go_on, decoded = threading.Event(), list[str]()
    failures: list[Exception] = []

    def load() -> Model:
        go_on.wait(20)
        model = Model()
        decode = model.decoder.decode

        def noted(chunks: Sequence[Chunk]) -> list[int]:
            decoded.extend("".join(map(chr, chunk.tokens)) for chunk in chunks)
            return decode(chunks)

        model.decoder.decode = noted  # type: ignore[method-assign]
        return model

    backend = EmbeddedBackend(load, [SYSTEM], failures.append)
    backend.start()
    ends: list[type[BaseException] | str] = []

    def ask_shortly() -> None:
        try:
            ends.append(backend.generate([Turn("user", word)], OPTIONS).text)
        except InferenceError as error:
            ends.append(type(error))

    asker = threading.Thread(target=ask_shortly)
    asker.start()
    assert backend._asked.wait(20)
    go_on.set()
    asker.join(20)
    assert ends == [end]
    while not backend.ready:
        assert backend._thread.is_alive()
        time.sleep(0.01)
    assert backend.generate([Turn("user", "hi")], OPTIONS).text == "aaa"
    backend.stop()
    assert failures == []
    # Where nobody's question became tokens, the greeting did it.
    assert any("Hello" in text for text in decoded) is (word == "refuse")


def test_the_first_of_a_burst_waits_for_those_that_are_known_to_come() -> None:
    model = Model()
    batches: list[int] = []
    decode = model.decoder.decode

    def counted(chunks: Sequence[Chunk]) -> list[int]:
        batches.append(len(chunks))
        return decode(chunks)

    model.decoder.decode = counted  # type: ignore[method-assign]
    coming = threading.Event()
    backend = EmbeddedBackend(lambda: model, [SYSTEM], lambda error: None)
    backend.heed(coming.is_set)
    backend.start()
    while not backend.ready:
        time.sleep(0.01)
    batches.clear()
    coming.set()
    ends: list[type[BaseException] | str] = []
    threads = [threading.Thread(target=ask, args=(backend, f"word {n}", ends, Caller())) for n in range(3)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        backend.stop()
    assert batches[0] == 3
