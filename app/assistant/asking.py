"""Asking the model: the stable one, or during a rollout the candidate with the stable one behind it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from assistant.inference.backend import (
    Backend,
    Caller,
    Completion,
    InferenceError,
    Options,
    QueueFull,
    RequestError,
    Stopping,
)
from assistant.limits import options_of
from assistant.live import Live, LiveAnswer
from assistant.logs import Log
from assistant.messages import API, Turn
from assistant.metrics import Metrics
from assistant.metrics.labels import CANDIDATE, STABLE
from assistant.progress import Watch
from assistant.rollout.arms import Arms, Choice
from assistant.store import Claim
from assistant.store.rollout_answers import CUT, EMPTY, ERROR, OK, Made, RolloutAnswers

log = Log(__name__)
# What the stable model has at least, however long the candidate took.
LEAST_SECONDS = 1.0


class InLine(Exception):
    """So many wait for the candidate that this message has to wait without a thread."""


@dataclass(frozen=True)
class Asking:
    """One message on its way to the model.

    ``watch`` shows the answer to a caller of the API. ``away`` is called when it leaves the stable model's
    line for the candidate's, and ``back`` when it comes back.
    """

    claim: Claim
    turns: list[Turn]
    language: str
    watch: Watch | None
    choice: Choice
    away: Callable[[], None] = lambda: None
    back: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Spoken:
    """An answer: by which arm, after how many seconds, and what is to be written down with it."""

    completion: Completion
    arm: str
    seconds: float
    made: Made | None = None


@dataclass(frozen=True)
class _Try:
    completion: Completion
    seconds: float
    first: float | None


class Asker:
    """Has messages answered; safe on all threads."""

    def __init__(
        self,
        backend: Backend,
        metrics: Metrics,
        options: Options,
        live: Live,
        *,
        arms: Arms | None = None,
        answers: RolloutAnswers | None = None,
    ) -> None:
        """Ask ``backend``, with ``options`` where a message brings none.

        ``live`` shows the answers while they are made. ``arms`` choose the candidate, what becomes of which
        goes into ``answers``; without them there is none.
        """
        self._backend, self._metrics, self._options, self._live = backend, metrics, options, live
        self._arms, self._answers = arms, answers
        self.settle_draft: Callable[[int], None] = lambda number: None

    def choose(self, claim: Claim) -> Choice:
        """Return which arm answers ``claim``."""
        return Choice() if self._arms is None else self._arms.of_claim(claim)

    def put(self, session: Session, made: Made) -> None:
        """Write ``made`` down in the transaction that commits the answer."""
        if self._answers is not None:
            self._answers.put(session, made)

    def ask(self, asking: Asking) -> Spoken:
        """Return the answer.

        Raises:
            InLine: it is to be tried again in a moment.
            InferenceError: see ``Backend.generate``.
        """
        options = options_of(asking.claim.payload, self._options)
        began = time.monotonic()
        pending: Made | None = None
        if asking.choice.arm == CANDIDATE and self._arms is not None:
            found = self._ask_candidate(self._arms, asking, options)
            if isinstance(found, Spoken):
                return found
            pending = found
            asking = replace(asking, choice=replace(asking.choice, arm=STABLE, counted=False))
            left = options.deadline_seconds - (time.monotonic() - began)
            options = replace(options, deadline_seconds=max(LEAST_SECONDS, left))
        spoken = self._ask_stable(asking, options)
        if pending is not None:
            # Stable could: it was not the request's fault.
            self._write_down(pending)
        return spoken

    def _ask_stable(self, asking: Asking, options: Options) -> Spoken:
        began = time.monotonic()
        try:
            done = self._try(self._backend.generate, asking, options, STABLE)
        except (Stopping, QueueFull, RequestError):
            raise
        except InferenceError as error:
            self._write_down(self._failed(asking, STABLE, began, error.kind))
            raise
        return self._spoken(asking, STABLE, done)

    def _ask_candidate(self, arms: Arms, asking: Asking, options: Options) -> Spoken | Made | None:
        """Return the candidate's answer, or an error that is the request's own unless stable answers it."""
        seconds = arms.deadline(options.deadline_seconds)
        if not arms.candidate.enter():
            if asking.claim.waited < seconds:
                raise InLine
            return None
        asking.away()
        try:
            return self._try_candidate(arms, asking, replace(options, deadline_seconds=seconds))
        finally:
            arms.candidate.leave()
            asking.back()

    def _try_candidate(self, arms: Arms, asking: Asking, options: Options) -> Spoken | Made | None:
        began, heard = time.monotonic(), asking.watch
        try:
            done = self._try(arms.candidate.generate, asking, options, CANDIDATE)
        except (Stopping, QueueFull):
            # The rollout has just ended, or there is no room: neither is a failure.
            return self._fall_back(asking, None, None)
        except InferenceError as error:
            made = self._failed(asking, CANDIDATE, began, _kind(error, began, options))
            return self._fall_back(asking, made, error)
        if done.completion.finish_reason == "cancelled":
            return Spoken(done.completion, CANDIDATE, done.seconds)
        spoken_to = heard is not None and heard.spoken
        if not done.completion.text.strip():
            return self._fall_back(asking, self._made(asking, CANDIDATE, EMPTY, done), None)
        late = done.completion.finish_reason == "length" and done.seconds >= options.deadline_seconds
        if late and not spoken_to:
            return self._fall_back(asking, self._made(asking, CANDIDATE, ERROR, done, "late"), None)
        if asking.claim.platform == API:
            arms.answered(asking.claim.payload)
        return self._spoken(asking, CANDIDATE, done)

    def _fall_back(self, asking: Asking, made: Made | None, error: InferenceError | None) -> Made | None:
        """Write down what the candidate did, and make room for what the stable model says instead.

        Raises:
            InferenceError: ``error``, where a caller has read the beginning of the answer.
        """
        wait = isinstance(error, RequestError)
        if made is not None and not wait:
            self._write_down(made)
        log.warning(
            "the stable model answers instead of the candidate",
            inbox_id=asking.claim.inbox_id,
            reason=made.kind or made.outcome if made is not None else "ended",
        )
        if error is not None and asking.watch is not None and asking.watch.spoken:
            raise error
        self._live.end(asking.claim.inbox_id)
        return made if wait else None

    def _try(self, generate: Callable[..., Completion], asking: Asking, options: Options, arm: str) -> _Try:
        asked, first = time.monotonic(), 0.0
        caller = self._caller(asking)

        def say(text: str) -> None:
            # On the model's thread: only looked at here, and counted later on this one.
            nonlocal first
            first = first or time.monotonic()
            caller.on_text(text)

        try:
            completion = generate(asking.turns, options, replace(caller, on_text=say))
            return _Try(completion, time.monotonic() - asked, first - asked if first else None)
        except InferenceError as error:
            if not isinstance(error, Stopping):
                self._metrics.engine_errors.labels(arm, error.kind).inc()
            raise
        finally:
            if first:
                self._metrics.first_token.labels(arm).observe(first - asked)
            # No draft may change any more once the reply, or the next try, is committed.
            self.settle_draft(asking.claim.inbox_id)

    def _caller(self, asking: Asking) -> Caller:
        claim, watch = asking.claim, asking.watch
        if watch is not None:
            return Caller(on_text=watch.say, cancelled=lambda: watch.gone)
        if claim.platform == API:
            # An API call's conversation has one message: remembering it by name would help nobody.
            return Caller()
        live = self._live.begin(
            LiveAnswer(claim.inbox_id, claim.platform, claim.chat, claim.reply_to, asking.language)
        )
        return Caller(conversation=str(claim.conversation_id), on_text=live.say)

    def _spoken(self, asking: Asking, arm: str, done: _Try) -> Spoken:
        completion = done.completion
        outcome = OK if completion.text.strip() else EMPTY
        if outcome == OK and completion.finish_reason == "length":
            outcome = CUT
        made = self._made(asking, arm, outcome, done)
        wanted = asking.choice.rollout and completion.finish_reason != "cancelled"
        return Spoken(completion, arm, done.seconds, made if wanted else None)

    def _made(self, asking: Asking, arm: str, outcome: str, done: _Try, kind: str = "") -> Made:
        choice = asking.choice
        return Made(
            choice.rollout,
            asking.claim.inbox_id,
            arm,
            outcome,
            done.seconds,
            done.first,
            choice.counted,
            kind,
        )

    def _failed(self, asking: Asking, arm: str, began: float, kind: str) -> Made:
        done = _Try(Completion("", 0, 0, "error"), time.monotonic() - began, None)
        return self._made(asking, arm, ERROR, done, kind)

    def _write_down(self, made: Made) -> None:
        if made.rollout and self._answers is not None:
            self._answers.add(made)


def _kind(error: InferenceError, began: float, options: Options) -> str:
    return "late" if time.monotonic() - began >= options.deadline_seconds else error.kind
