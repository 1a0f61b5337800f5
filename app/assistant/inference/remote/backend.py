"""A backend that asks an OpenAI-compatible endpoint.

One thread runs an event loop with all requests on it: there, an answer whose caller leaves is cancelled at
once, whatever it waits for, and its connection is closed.
"""

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

from assistant.inference.backend import (
    NOBODY,
    Caller,
    Completion,
    InferenceError,
    Options,
    QueueFull,
    RequestError,
    Stopping,
    Usage,
)
from assistant.inference.prompt import DoesNotFit, fit
from assistant.inference.remote.answering import Answer
from assistant.inference.remote.asking import Conversation, body
from assistant.inference.remote.breaker import CircuitBreaker, State
from assistant.inference.remote.endpoint import NO_HEADERS, Endpoint, Limits
from assistant.inference.remote.errors import (
    ConfigurationError,
    ContextOverflow,
    Unavailable,
    UnsupportedParameter,
)
from assistant.inference.remote.probe import Probe
from assistant.inference.remote.retrying import retrying
from assistant.logs import Log
from assistant.messages import Turn

log = Log(__name__)
# How often a refused request is made smaller and sent again.
REPAIRS = 8
# How often it is looked whether the caller still waits.
LOOK_SECONDS = 0.1


class RemoteBackend:
    """Answers by way of ``url``; see ``Backend``. ``on_text`` is called on the event loop's thread."""

    def __init__(
        self,
        url: str,
        *,
        model: str,
        key: str,
        context_tokens: int,
        parallel: int,
        limit: int,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
        breaker: CircuitBreaker | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        advises: bool = True,
    ) -> None:
        """Prepare the thread.

        Args:
            url: the endpoint, up to and including ``/v1``.
            model: the model's name there; empty takes the first that it lists.
            key: the API key, or empty.
            context_tokens: the longest conversation, as far as it can be estimated here.
            parallel: how many answers are asked for at once.
            limit: how many requests may run or wait; more are refused.
            limits: how long each part may take.
            breaker: decides when a failing endpoint is left alone.
            headers: sent with each request.
            advises: whether the log says which setting to look at where it fails.
        """
        self._url, self._key, self._limits, self._headers = url, key, limits, headers
        self._context_tokens, self._parallel = context_tokens, parallel
        self._room = threading.BoundedSemaphore(limit)
        self._breaker = breaker or CircuitBreaker()
        self._probe, self._advises = Probe(model, advises=advises), advises
        self._refused: frozenset[str] = frozenset()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: set[asyncio.Task[Completion]] = set()
        self._open, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main()), name="endpoint", daemon=True
        )

    @property
    def ready(self) -> bool:
        """Whether the endpoint answered the latest probe, and its circuit is not open."""
        return self._thread.is_alive() and self._probe.well and self._breaker.state is not State.OPEN

    @property
    def model(self) -> str:
        """The model's name there; empty before the endpoint has listed one."""
        return self._probe.name

    @property
    def usage(self) -> Usage:
        """How many answers are asked for at the moment; the cache is the endpoint's."""
        return Usage(min(len(self._running), self._parallel), self._parallel)

    def start(self) -> None:
        """Start the thread, which looks for the endpoint from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End what is being generated and close all connections; waits for the thread."""
        self._stopping.set()
        if self._loop is not None:
            # The loop may have ended by itself.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._closing.set)
        if self._thread.is_alive():
            self._thread.join(timeout=20)

    def heed(self, more_to_come: Callable[[], bool]) -> None:
        """Nothing to do: the endpoint gathers for itself."""

    def generate(self, turns: Sequence[Turn], options: Options, caller: Caller = NOBODY) -> Completion:
        """Answer ``turns``; see ``Backend.generate``. Any number of threads may wait here."""
        deadline = time.monotonic() + options.deadline_seconds
        if not self._room.acquire(blocking=False):
            raise QueueFull
        try:
            while not self._open.wait(0.5):
                self._alive()
            future = self._submit(self._answer(turns, options, caller, deadline))
            while True:
                try:
                    return future.result(timeout=1.0)
                except TimeoutError:
                    self._alive()
        except concurrent.futures.CancelledError:
            raise Stopping from None
        except ConfigurationError as error:
            if self._advises:
                log.error(error.advice, error=str(error))
            raise
        finally:
            self._room.release()

    def _alive(self) -> None:
        if self._stopping.is_set():
            raise Stopping
        if not self._thread.is_alive():
            raise InferenceError("the endpoint's thread is gone")

    def _submit(self, work: Coroutine[Any, Any, Completion]) -> "concurrent.futures.Future[Completion]":
        assert self._loop is not None  # noqa: S101 - it is set before _open
        try:
            self._alive()
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except (RuntimeError, InferenceError):
            # The loop has just been closed.
            work.close()
            raise Stopping from None

    # --- on the event loop's thread ----------------------------------------------------------------------

    async def _main(self) -> None:
        # The loop last: ``stop`` takes it to mean that the other is there.
        self._closing = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._lines = asyncio.Semaphore(self._parallel)
        # One more connection for the probe.
        self._endpoint = Endpoint(self._url, self._key, self._limits, self._parallel + 1, self._headers)
        looking = asyncio.create_task(self._probe.run(self._endpoint))
        self._open.set()
        try:
            if not self._stopping.is_set():
                await self._closing.wait()
        finally:
            for task in (looking, *self._running):
                task.cancel()
            await asyncio.gather(looking, *self._running, return_exceptions=True)
            await self._endpoint.close()

    async def _answer(
        self, turns: Sequence[Turn], options: Options, caller: Caller, deadline: float
    ) -> Completion:
        """Answer until it is done, its caller is gone, or its time is up; what was made by then is kept."""
        answer = Answer(caller, options)
        work = asyncio.create_task(self._work(answer, turns, options, deadline))
        gone = asyncio.create_task(_until(caller.cancelled))
        self._running.add(work)
        try:
            left = max(0.0, deadline - time.monotonic())
            await asyncio.wait({work, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return _result(work)
        finally:
            self._running.discard(work)
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
        if gone.done() and not gone.cancelled():
            return answer.completion("cancelled")
        if not answer.begun:
            raise QueueFull
        if not answer.spoken:
            raise InferenceError("the deadline passed before the first word")
        return answer.completion("length")

    async def _work(
        self, answer: Answer, turns: Sequence[Turn], options: Options, deadline: float
    ) -> Completion:
        async with self._lines:
            answer.begun = True
            model = await self._probe.model(self._endpoint)
            limit = max(1, min(options.max_tokens, self._context_tokens // 2))
            options, budget = replace(options, max_tokens=limit), self._context_tokens - limit
            for _ in range(REPAIRS):
                prompt = _newest(turns, budget)
                try:
                    async for attempt in retrying(answer, deadline - time.monotonic()):
                        with attempt:
                            return await self._try(answer, model, prompt, options)
                except ContextOverflow:
                    log.warning(
                        "ASSISTANT_CONTEXT_TOKENS: the endpoint's is smaller; the oldest turns are dropped",
                        estimate=len(prompt),
                    )
                    budget = len(prompt) * 3 // 4
                except UnsupportedParameter as error:
                    log.warning("the endpoint does not take a parameter; left out", parameter=error.parameter)
                    self._refused |= {error.parameter}
            raise RequestError("the endpoint refuses whatever is left of this request")

    async def _try(self, answer: Answer, model: str, prompt: Conversation, options: Options) -> Completion:
        with self._breaker.guard():
            answer.begin(prompt)
            chunks = self._endpoint.chunks(body(model, prompt.turns, options, self._refused))
            async with aclosing(chunks):
                async for chunk in chunks:
                    answer.take(chunk)
                    if answer.stopped:
                        return answer.completion("stop")
            if not answer.finish_reason:
                raise Unavailable("the answer ended in the middle")
            return answer.completion()


def _newest(turns: Sequence[Turn], budget: int) -> Conversation:
    try:
        return fit(turns, budget, lambda kept: Conversation(list(kept)))[0]
    except DoesNotFit:
        raise RequestError("the system prompt and the answer's limit leave no room for a message") from None


def _result(work: "asyncio.Task[Completion]") -> Completion:
    try:
        return work.result()
    except InferenceError:
        raise
    except Exception as fault:
        raise InferenceError(type(fault).__name__) from fault


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(LOOK_SECONDS)
