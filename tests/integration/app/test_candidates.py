"""The candidates with a fault have it, and no other: what bench-lifecycle shows rests on that."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest

from assistant.inference import trial
from assistant.inference.backend import Options
from assistant.inference.embedded import EmbeddedBackend
from assistant.inference.gguf import read_header
from assistant.inference.model import Model
from assistant.inference.template import Template
from assistant.inference.trial import TrialError
from assistant.messages import Turn
from tests.bench.gguf_copy import entries
from tests.bench.lifecycle import candidates
from tools.demo_model.shipped import shipped

QUESTION = Turn("user", "How do I restart the assistant?")


def said(path: Path) -> str:
    """Return the model's answer to ``QUESTION``."""
    failed: list[Exception] = []

    def load() -> Model:
        return Model(path, context_tokens=512, threads=1, parallel=1, system=(), repack="off")

    backend = EmbeddedBackend(load, (), failed.append)
    backend.start()
    try:
        return backend.generate((QUESTION,), Options(64, 0.0, 120.0)).text
    finally:
        backend.stop()


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], Path]:
    return lambda fault: candidates.make(fault, tmp_path / f"{fault}.gguf")


def test_a_crash_is_seen_by_llama_cpp_alone(
    made: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a debugger for its last words, as in the image.
    monkeypatch.setenv("GGML_NO_BACKTRACE", "1")
    path = made("load")
    assert read_header(path).architecture == "llama"
    with pytest.raises(TrialError, match="SIGABRT"):
        trial.attempt(path)


def test_an_empty_one_says_nothing(made: Callable[[str], Path]) -> None:
    assert said(made("empty")) == ""
    assert said(shipped("demo-v2"))


def test_a_slow_one_says_the_same(made: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "COUNT_ROUNDS", 3)
    path = made("slow")
    assert "range(3)" in str(read_header(path).metadata["tokenizer.chat_template"])
    assert said(path) == said(shipped("demo-v2"))


def test_a_second_question_takes_the_memory(
    made: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 1 << 22
    monkeypatch.setattr(candidates, "BLOWN_BYTES", size)

    def text(path: Path) -> str:
        return str(entries(gguf.GGUFReader(path))["tokenizer.chat_template"].value)

    greedy, usual = Template(text(made("oom")), "", ""), Template(text(shipped("demo-v2")), "", "")
    first = [Turn("system", "Be brief."), QUESTION]
    second = [*first, Turn("assistant", "So."), QUESTION]
    for turns, least, most in ((first, 0, size // 4), (second, size, 4 * size)):
        tracemalloc.start()
        rendered = greedy.render(turns)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert least <= peak <= most
        assert rendered == usual.render(turns)
