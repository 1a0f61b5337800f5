"""A backend whose model lives in this process, on a thread of its own."""

import gc
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from assistant.inference.backend import (
    NOBODY,
    Caller,
    Completion,
    InferenceError,
    LoadRecord,
    Options,
    QueueFull,
    Stopping,
    Usage,
)
from assistant.inference.engine import Engine, Request
from assistant.logs import Log
from assistant.messages import Turn

log = Log(__name__)
WARM_UP = (Turn("user", "Hello"),)
# How long the first of a burst waits at most for those that are known to come, and how often it looks.
GATHER_SECONDS = 0.12
GATHER_STEP_SECONDS = 0.004
# How long a question that waited for the model may take to become tokens.
FIRST_SECONDS = 1.0


class LoadedModel(Protocol):
    """What the thread needs of a model."""

    context_tokens: int

    def prompt(self, turns: Sequence[Turn], max_tokens: int) -> list[int]:
        """Return the tokens of ``turns``; called on any thread."""

    def engine(self) -> Engine:
        """Return the engine; called once, on the model's thread, and decoded with on it alone."""

    def close(self) -> None:
        """Free the model, and what ``engine`` made."""


class EmbeddedBackend:
    """Owns one thread, which creates the llama context and alone decodes with it.

    A context that is made on one thread and used on another runs with two OpenMP pools, which costs about
    a quarter of the speed on 2 cores.
    """

    def __init__(
        self,
        load: Callable[[], LoadedModel],
        warm_up_turns: Sequence[Turn],
        on_load_failure: Callable[[Exception], None],
        limit: int = 64,
        record: LoadRecord | None = None,
    ) -> None:
        """Prepare the thread.

        Args:
            load: makes the model; called on the thread.
            warm_up_turns: what stands before every conversation (the system prompt), decoded once at start.
            on_load_failure: called on the thread with what ``load`` or the warm-up raised.
            limit: how many requests may run or wait; more are refused.
            record: is told, on the thread, what becomes of loading.
        """
        self._load = load
        self._record = record
        self._warm_up = [*warm_up_turns, *WARM_UP]
        self._on_load_failure = on_load_failure
        self._room = threading.BoundedSemaphore(limit)
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._model: LoadedModel | None = None
        self._engine: Engine | None = None
        self._asked = threading.Event()
        self._loaded = threading.Event()
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._more_to_come: Callable[[], bool] = lambda: False
        self._thread = threading.Thread(target=self._run, name="llama", daemon=True)

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and warm."""
        return self._ready.is_set() and self._thread.is_alive()

    @property
    def usage(self) -> Usage:
        """How busy the model is; nothing before it is loaded."""
        return Usage(0, 0) if self._engine is None else self._engine.usage

    def start(self) -> None:
        """Begin loading; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End what is being generated and free the model; waits for the thread."""
        self._stopping.set()
        self._requests.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=20)

    def heed(self, more_to_come: Callable[[], bool]) -> None:
        """Ask ``more_to_come`` before a first step; see ``Backend.heed``."""
        self._more_to_come = more_to_come

    def generate(self, turns: Sequence[Turn], options: Options, caller: Caller = NOBODY) -> Completion:
        """Answer ``turns``; see ``Backend.generate``. Any number of threads may wait here."""
        deadline = time.monotonic() + options.deadline_seconds
        if not self._room.acquire(blocking=False):
            raise QueueFull
        try:
            self._asked.set()
            while not self._loaded.wait(0.5):
                self._alive()
            return self._answer(turns, options, caller, deadline)
        finally:
            self._room.release()

    def _answer(self, turns: Sequence[Turn], options: Options, caller: Caller, deadline: float) -> Completion:
        self._alive()
        assert self._model is not None  # noqa: S101 - it is set before _loaded
        request = _request(self._model, turns, options, caller, deadline)
        self._requests.put(request)
        while True:
            try:
                return request.result.result(timeout=1.0)
            except TimeoutError:
                self._alive()

    def _alive(self) -> None:
        if self._thread.is_alive() and not self._stopping.is_set():
            return
        if self._stopping.is_set():
            raise Stopping
        raise InferenceError("the model's thread is gone")

    def _run(self) -> None:
        if self._record is not None:
            self._record.begin()
        try:
            model = self._load()
            engine = self._engine = model.engine()
            self._model = model
            self._loaded.set()
            self._warm(model, engine)
        except Exception as error:
            if self._record is not None:
                self._record.fail(type(error).__name__)
            self._on_load_failure(error)
            return
        # What is loaded by now stays: looking through it for garbage would stop every answer each time.
        gc.freeze()
        log.info("model is ready", context_tokens=model.context_tokens)
        self._ready.set()
        if self._record is not None:
            self._record.succeed()
        while not self._stopping.is_set():
            self._collect(engine)
            _step(engine)
        engine.abandon(Stopping)
        self._collect(engine)
        engine.abandon(Stopping)
        model.close()

    def _warm(self, model: LoadedModel, engine: Engine) -> None:
        """Use every weight once. Where somebody waits already, their question does it."""
        if self._asked.is_set():
            # Its thread has been woken. Where it gave up instead, nothing comes.
            with suppress(queue.Empty):
                first = self._requests.get(timeout=FIRST_SECONDS)
                if first is not None:
                    engine.submit(first)
                    _step(engine)
                return
        options = Options(max_tokens=1, temperature=0.0, deadline_seconds=600)
        request = _request(model, self._warm_up, options, NOBODY, time.monotonic() + 600)
        engine.submit(request)
        while not request.result.done():
            engine.step()
        request.result.result()

    def _collect(self, engine: Engine) -> None:
        """Take all new requests; sleep until there is one when there is nothing else to do."""
        idle = engine.idle
        with suppress(queue.Empty):
            while True:
                request = self._requests.get(block=engine.idle and not self._stopping.is_set())
                if request is None:
                    return
                engine.submit(request)
        if idle and not engine.idle:
            self._gather(engine)

    def _gather(self, engine: Engine) -> None:
        """Wait for the others of a burst: prompts are read together in less time than one after the other.

        Without it a step begins for the first of them alone, and all others wait for its end.
        """
        deadline = time.monotonic() + GATHER_SECONDS
        while self._more_to_come() and time.monotonic() < deadline and not self._stopping.is_set():
            with suppress(queue.Empty):
                request = self._requests.get(timeout=GATHER_STEP_SECONDS)
                if request is None:
                    return
                engine.submit(request)


def _step(engine: Engine) -> None:
    try:
        engine.step()
    except BaseException as fault:
        # A fault must never take the thread, and with it all conversations, along.
        log.exception("fault in the engine; what was running fails")
        name = type(fault).__name__
        engine.abandon(lambda: InferenceError(name))


def _request(
    model: LoadedModel, turns: Sequence[Turn], options: Options, caller: Caller, deadline: float
) -> Request:
    # At least half of the context belongs to the conversation, whatever a caller asks for.
    limit = max(1, min(options.max_tokens, model.context_tokens // 2))
    tokens = model.prompt(turns, limit)
    return Request(tokens, replace(options, max_tokens=limit), caller, deadline)
