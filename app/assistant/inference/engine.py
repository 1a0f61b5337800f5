"""Continuous batching: each step decodes one token of every running answer, and a part of the new prompts."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from assistant.inference.backend import Caller, Completion, InferenceError, Options, QueueFull, Usage
from assistant.inference.cache import SYSTEM, Cache, Memory, Slot
from assistant.inference.context import Chunk, DecodeError
from assistant.inference.text_stream import TextStream

# How many tokens of prompts a step reads. Together they are read faster than one after the other, and whoever
# waits for a next word stands still less often: with 16 callers, steps of 64 gave 14 % fewer answers.
PROMPT_TOKENS = 256
# What one prompt gets of them while anybody else is answered: a long one must not hold up the others.
PROMPT_SHARE = 64
# Seconds between two pieces of one answer. Each piece costs a thread's turn, JSON and a packet, on the cores
# that decode; people read no faster than this. Other servers know it as a stream interval.
PIECE_SECONDS = 0.04


class Decoder(Memory, Protocol):
    """What the engine needs of a context."""

    batch_tokens: int

    def decode(self, chunks: Sequence[Chunk]) -> list[int]:
        """Decode all ``chunks`` at once; see ``Context.decode``."""


class Sampler(Protocol):
    """What the engine needs of a sampler chain."""

    def sample(self, row: int) -> int:
        """Return the next token."""

    def close(self) -> None:
        """Free it."""


@dataclass(frozen=True)
class Words:
    """What the engine needs of a vocabulary."""

    piece: Callable[[int], bytes]
    is_end: Callable[[int], bool]
    sampler: Callable[[Options], Sampler]
    controls: Sequence[str] = ()


@dataclass
class Request:
    """A prompt that waits for its answer; ``deadline`` is on ``time.monotonic``'s clock."""

    prompt: list[int]
    options: Options
    caller: Caller
    deadline: float
    result: "Future[Completion]" = field(default_factory=Future)

    def fail(self, error: InferenceError) -> None:
        """Tell the caller that there is no answer."""
        with suppress(InvalidStateError):
            self.result.set_exception(error)


@dataclass
class _Answer:
    """A request in progress; ``token`` is its newest word, which is not decoded yet.

    ``unsaid`` is text that the caller was not given yet, ``said`` when it was given some.
    """

    request: Request
    slot: Slot
    sampler: Sampler
    text: TextStream
    token: int | None = None
    made: int = 0
    unsaid: str = ""
    said: float = -PIECE_SECONDS

    @property
    def missing(self) -> int:
        """How many tokens of the prompt are not decoded yet."""
        return len(self.request.prompt) - len(self.slot.tokens)


class Engine:
    """Answers up to ``parallel`` requests at once; everything runs on the thread that calls ``step``."""

    def __init__(
        self,
        decoder: Decoder,
        words: Words,
        system: Sequence[int],
        *,
        parallel: int,
        sequences: int,
        cells: int,
    ) -> None:
        """Read the system prompt into sequence 0.

        Args:
            decoder: the context.
            words: the vocabulary.
            system: the tokens with which nearly every prompt begins.
            parallel: how many answers are made at once.
            sequences: how many conversations are remembered, running ones included.
            cells: the context's size.

        Raises:
            DecodeError: the system prompt cannot be decoded.
        """
        self._decoder, self._words, self._parallel = decoder, words, parallel
        for start in range(0, len(system), decoder.batch_tokens):
            decoder.decode([Chunk(SYSTEM, start, system[start : start + decoder.batch_tokens], False)])
        self.cache = Cache(decoder, sequences, cells, system)
        self._waiting: deque[Request] = deque()
        self._running: list[_Answer] = []
        # Whose prompt is read next.
        self._turn = 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self._waiting and not self._running

    @property
    def usage(self) -> Usage:
        """How busy it is. Any thread may ask: nothing is locked, so that the figures are about right."""
        return Usage(len(self._running), self._parallel, self.cache.filled, self.cache.size)

    def submit(self, request: Request) -> None:
        """Take ``request``; its result is set by a later step."""
        self._waiting.append(request)

    def step(self) -> None:
        """Do one step: drop what nobody waits for, start what fits, decode once, take the words."""
        self._tell()
        self._drop()
        self._admit()
        work = self._plan()
        if work:
            self._decode(work)

    def abandon(self, error: Callable[[], InferenceError]) -> None:
        """Fail everything that runs or waits."""
        for answer in list(self._running):
            self._end(answer, error())
        while self._waiting:
            self._waiting.popleft().fail(error())

    def _drop(self) -> None:
        now = time.monotonic()
        for answer in list(self._running):
            self._guard(answer, self._end_if_late, answer, now)
        for request in [r for r in self._waiting if r.deadline < now or r.caller.cancelled()]:
            self._waiting.remove(request)
            if request.deadline < now:
                request.fail(QueueFull())
            else:
                request.result.set_result(Completion("", len(request.prompt), 0, "cancelled"))

    def _end_if_late(self, answer: _Answer, now: float) -> None:
        if answer.request.caller.cancelled():
            self._finish(answer, "cancelled")
        elif answer.request.deadline < now:
            self._finish(answer, "length")

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self._parallel:
            # The first in line is never overtaken, however much room it needs: it would wait for ever.
            request = self._waiting[0]
            slot = self.cache.acquire(request.caller.conversation, request.prompt, request.options.max_tokens)
            if slot is None:
                return
            self._waiting.popleft()
            try:
                sampler = self._words.sampler(request.options)
            except InferenceError as error:
                self.cache.release(slot, keep=True)
                request.fail(error)
                continue
            stream = TextStream(request.options.stop, self._words.controls)
            self._running.append(_Answer(request, slot, sampler, stream))

    def _plan(self) -> list[tuple[_Answer, Chunk]]:
        """Return this step's chunks: every running answer's newest word, then parts of prompts in turn."""
        work = [
            (a, Chunk(a.slot.number, len(a.slot.tokens), [a.token], True))
            for a in self._running
            if a.token is not None
        ]
        budget = min(PROMPT_TOKENS, self._decoder.batch_tokens - len(work))
        reading = [a for a in self._running if a.token is None]
        if not reading:
            return work
        first = self._turn % len(reading)
        self._turn += 1
        share = PROMPT_SHARE if work or len(reading) > 1 else budget
        for answer in (*reading[first:], *reading[:first]):
            count = min(answer.missing, share, budget)
            if count <= 0:
                break
            start = len(answer.slot.tokens)
            tokens = answer.request.prompt[start : start + count]
            work.append((answer, Chunk(answer.slot.number, start, tokens, count == answer.missing)))
            budget -= count
        return work

    def _decode(self, work: Sequence[tuple[_Answer, Chunk]]) -> None:
        try:
            rows = self._decoder.decode([chunk for _, chunk in work])
        except DecodeError as error:
            self._decode_apart(work, error)
            return
        for (answer, chunk), row in zip(work, rows, strict=True):
            answer.slot.tokens.extend(chunk.tokens)
            if chunk.output:
                self._guard(answer, self._take, answer, row)

    def _decode_apart(self, work: Sequence[tuple[_Answer, Chunk]], error: DecodeError) -> None:
        """Find out which sequence cannot be decoded: each by itself, after undoing what was half done."""
        intact = []
        for answer, chunk in work:
            if self._decoder.truncate(answer.slot.number, chunk.start):
                intact.append((answer, chunk))
            else:
                self._end(answer, error)
        if len(work) == 1:
            for answer, _ in intact:
                self._end(answer, error)
            return
        # Remembered conversations are worth less than running ones, if room is what is missing.
        self.cache.evict()
        for pair in intact:
            self._decode([pair])

    def _take(self, answer: _Answer, row: int) -> None:
        token = answer.sampler.sample(row)
        answer.made += 1
        if self._words.is_end(token):
            self._finish(answer, "stop")
            return
        answer.token = token
        answer.unsaid += answer.text.push(self._words.piece(token))
        if answer.text.stopped:
            self._finish(answer, "stop")
        elif answer.made >= answer.request.options.max_tokens:
            self._finish(answer, "length")

    def _tell(self) -> None:
        """Hand out the new pieces, all at once and shortly before decoding.

        Each one wakes a thread, and all of them want the interpreter. During a decode it is free; between
        two decodes the cores would stand still for them: with 16 callers, for 3 ms of 70.
        """
        now = time.monotonic()
        for answer in list(self._running):
            if answer.unsaid and now - answer.said >= PIECE_SECONDS:
                self._say(answer, now)

    def _say(self, answer: _Answer, now: float) -> None:
        text, answer.unsaid, answer.said = answer.unsaid, "", now
        self._guard(answer, answer.request.caller.on_text, text)

    def _finish(self, answer: _Answer, reason: str) -> None:
        answer.unsaid += answer.text.finish()
        if answer.unsaid:
            self._say(answer, time.monotonic())
        if answer not in self._running:
            return
        if reason == "length" and answer.made == 0:
            self._end(answer, InferenceError("the deadline passed before the first word"))
            return
        request = answer.request
        self._leave(answer, keep=True)
        completion = Completion(answer.text.text, len(request.prompt), answer.made, reason)
        with suppress(InvalidStateError):
            request.result.set_result(completion)

    def _guard(self, answer: _Answer, act: Callable[..., None], *arguments: Any) -> None:
        """Do ``act``; a fault ends this answer and no other."""
        try:
            act(*arguments)
        except Exception as fault:
            self._end(answer, fault if isinstance(fault, InferenceError) else _failure(fault))

    def _end(self, answer: _Answer, error: InferenceError) -> None:
        """End ``answer`` without a completion; its cells may be half written."""
        self._leave(answer, keep=False)
        answer.request.fail(error)

    def _leave(self, answer: _Answer, *, keep: bool) -> None:
        if answer in self._running:
            self._running.remove(answer)
            answer.sampler.close()
            self.cache.release(answer.slot, keep=keep)


def _failure(fault: BaseException) -> InferenceError:
    return InferenceError(type(fault).__name__)
