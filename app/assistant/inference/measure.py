"""Measuring what a host makes of a model: its memory's bandwidth, and questions answered at once."""

import threading
import time
from dataclasses import dataclass

import numpy as np

from assistant.inference.backend import Caller, InferenceError, Options
from assistant.inference.embedded import EmbeddedBackend
from assistant.inference.gguf import Header
from assistant.messages import Turn

# A short question and an answer of a few sentences.
QUESTION = "Tell me how a small town prepares for winter, from the first frost to the last snow. " * 3
ANSWER_TOKENS = 64


@dataclass(frozen=True)
class Speed:
    """What ``conversations`` at once got together: tokens and answers a second.

    ``tokens_per_second`` is of the answers alone; ``answers_per_second`` includes reading the questions.
    """

    conversations: int
    first_token_seconds: float
    tokens_per_second: float
    answers_per_second: float
    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True)
class _Answer:
    first: float
    end: float
    prompt: int
    tokens: int


def stream_bandwidth(size: int, threads: int) -> float:
    """Return how many bytes a second ``threads`` together read from memory, the best of four passes.

    Args:
        size: bytes to read in a pass; more than the caches hold.
        threads: how many read.
    """
    # Summing releases Python's lock.
    parts = [np.ones(max(1, size // threads // 8), np.int64) for _ in range(threads)]
    best = 0.0
    for _ in range(4):
        workers = [threading.Thread(target=part.sum) for part in parts]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        best = max(best, sum(part.nbytes for part in parts) / (time.perf_counter() - start))
    return best


def bytes_a_token(header: Header) -> int:
    """Return how much of the weights one token reads: all but a table of embeddings that is only looked up.

    An upper bound for a mixture of experts, which reads some of them.
    """
    own_output = any(tensor.name == "output.weight" for tensor in header.tensors)
    return sum(t.size for t in header.tensors if not (own_output and t.name == "token_embd.weight"))


def speed(backend: EmbeddedBackend, conversations: int, seconds: float) -> Speed:
    """Ask ``conversations`` questions at once and time the answers.

    Raises:
        InferenceError: not even the first words came within ``seconds``.
    """
    options = Options(ANSWER_TOKENS, 0.0, seconds)
    answers: list[_Answer] = []
    failures: list[InferenceError] = []

    def ask(number: int) -> None:
        pieces: list[float] = []
        caller = Caller(on_text=lambda _text: pieces.append(time.monotonic()))
        # Different from its first word on: nothing that was read for one helps another.
        turns = [Turn("user", f"Question {number} of {conversations}: {QUESTION}")]
        try:
            done = backend.generate(turns, options, caller)
        except InferenceError as error:
            failures.append(error)
            return
        end = time.monotonic()
        answers.append(_Answer(pieces[0] if pieces else end, end, done.prompt_tokens, done.completion_tokens))

    start = time.monotonic()
    askers = [threading.Thread(target=ask, args=(number,)) for number in range(conversations)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    if failures:
        raise failures[0]
    made = sum(answer.tokens for answer in answers)
    return Speed(
        conversations,
        first_token_seconds=sum(answer.first - start for answer in answers) / conversations,
        tokens_per_second=sum((a.tokens - 1) / max(1e-3, a.end - a.first) for a in answers),
        # An answer that the time or the model ended early counts as the part of an answer that it is.
        answers_per_second=made / ANSWER_TOKENS / (max(answer.end for answer in answers) - start),
        prompt_tokens=round(sum(answer.prompt for answer in answers) / conversations),
        answer_tokens=round(made / conversations),
    )
