"""The worker: the one place where messages meet the model."""

import threading
from collections.abc import Callable, Collection
from typing import Any

from assistant import correlation
from assistant.admission import Admission
from assistant.answers.answers import Answers, Asked, Basis
from assistant.asking import Asker, Asking, InLine, Spoken
from assistant.commands import Commands
from assistant.crew import Crew
from assistant.dialogue import Dialogue
from assistant.inference.backend import (
    Backend,
    Completion,
    InferenceError,
    Options,
    Outage,
    QueueFull,
    RequestError,
    Stopping,
)
from assistant.live import Live
from assistant.logs import Log, said
from assistant.loops import Loop, Loops
from assistant.messages import API, Kind, Turn
from assistant.metrics import Metrics, labels
from assistant.progress import Progress, Watch
from assistant.rollout.arms import Arms, Choice
from assistant.store import Claim, Inbox
from assistant.store.claims import LeaseLost
from assistant.store.outbox import ARM, CACHED, LANGUAGE, RATEABLE
from assistant.store.rollout_answers import RolloutAnswers
from assistant.store.unreadable import UnreadableRow
from assistant.texts import EMPTY, FAILED, REFERENCE, language_of

log = Log(__name__)
MAX_ATTEMPTS = 4
# How often a message may be in the works when the process ends. A killed container says nothing against the
# messages it was answering, and the next kill meets the same ones: they are the oldest.
MAX_ENDS = 10
BACKOFF_SECONDS = (2.0, 8.0, 30.0)
# While the model cannot be reached, messages wait so long in all before they are given up.
OUTAGE_SECONDS = 86400.0
LONGEST_OUTAGE_PAUSE_SECONDS = 60.0
# How often a message that waits for the candidate is looked at.
IN_LINE_SECONDS = 0.2


class Worker:
    """Claims messages, answers them, and commits each answer together with the message's end.

    Each thread waits for one answer. While so many wait for the model as it has use for, the others take what
    needs no model: a command never stands in line behind questions. Another thread renews the leases.
    """

    def __init__(
        self,
        inbox: Inbox,
        backend: Backend,
        metrics: Metrics,
        *,
        options: Options,
        system_prompt: str,
        heartbeat_seconds: float,
        push: Collection[str],
        admission: Admission,
        commands: Commands,
        threads: int = 4,
        model_threads: int = 0,
        context_seconds: float = 0.0,
        progress: Progress | None = None,
        live: Live | None = None,
        answers: Answers | None = None,
        arms: Arms | None = None,
        rollout_answers: RolloutAnswers | None = None,
    ) -> None:
        """Prepare the threads; ``heartbeat_seconds`` must be well below the lease.

        Replies for the platforms in ``push`` are sent; those for others are fetched. ``admission`` decides
        who is answered, ``commands`` answers what needs no model. At most ``model_threads`` of ``threads``
        wait for the model at a time; 0 is all. The model is told of the last
        ``context_seconds`` of a conversation, 0 for all of it. ``progress`` knows who of the API's callers is
        still connected; unfinished answers to all others are shown in ``live``. Questions without context
        are answered from ``answers`` where it knows the answer. During a rollout ``arms`` choose who is
        answered by the candidate; what both models do goes into ``rollout_answers``.
        """
        self._inbox = inbox
        self._backend = backend
        self._metrics = metrics
        self._options = options
        self._push = frozenset(push)
        self._dialogue = Dialogue(inbox, system_prompt, context_seconds)
        self._held: dict[str, Claim] = {}
        self._lock = threading.Lock()
        self._most_thinking = model_threads or threads
        self._thinking = 0
        # Messages that wait for the candidate, by their claims' tokens.
        self._elsewhere: set[str] = set()
        self._admission, self._commands = admission, commands
        self._progress, self._live = progress or Progress(), live or Live()
        self._asker = Asker(backend, metrics, options, self._live, arms=arms, answers=rollout_answers)
        self._answers = answers or Answers(Basis(lambda: "", system_prompt, options))
        self.on_reply: Callable[[str], None] = lambda platform: None
        self._answering = Crew(
            "worker", threads, self._claim, self._handle, number=lambda c: c.inbox_id, idle_seconds=0.5
        )
        self._keeper = Loops([Loop("leases", self._renew, idle_seconds=heartbeat_seconds)])

    def settle_drafts_with(self, settle: Callable[[int], None]) -> None:
        """Call ``settle`` with a message's number before its answer, or the next try, is committed."""
        self._asker.settle_draft = settle

    def start(self) -> None:
        """Start the threads."""
        self._answering.start()
        self._keeper.start()

    def wake(self, inbox_id: int | None = None, kind: Kind | None = None) -> None:
        """Look into the inbox now: the message ``inbox_id`` of this ``kind`` was committed."""
        # With all hands full nobody could take it; the first who is free looks anyway.
        if kind is not Kind.CHAT or self._thinking < self._most_thinking:
            self._answering.wake(inbox_id)

    def expecting(self) -> bool:
        """Whether a message was committed that nobody has taken yet."""
        return self._answering.expecting

    def stop(self) -> None:
        """Stop the threads; stop the backend first, which ends what is being generated."""
        self._answering.stop(10)
        self._keeper.stop(5)

    @property
    def alive(self) -> bool:
        """Whether all threads run."""
        return self._answering.alive and self._keeper.alive

    def _renew(self) -> bool:
        with self._lock:
            claims = list(self._held.values())
        for claim in claims:
            with correlation.following(claim.trace_id):
                if not self._inbox.heartbeat(claim):
                    log.warning("a lease was lost", inbox_id=claim.inbox_id)
        return False

    def _claim(self) -> Claim | None:
        # Messages wait for a model that is loading or away; those who wait long are told so (notifier).
        full = self._thinking >= self._most_thinking
        try:
            claim = self._inbox.claim(without_model=full or not self._backend.ready)
        except UnreadableRow as row:
            log.error("a message cannot be read and waits", inbox_id=row.number, reason=str(row))
            return None
        if claim is not None and claim.kind is Kind.CHAT:
            with self._lock:
                self._thinking += 1
        return claim

    def _handle(self, claim: Claim) -> None:
        with correlation.following(claim.trace_id):
            log.info("taken", inbox_id=claim.inbox_id, platform=claim.platform, duration=claim.age)
            self._handle_claim(claim)

    def _handle_claim(self, claim: Claim) -> None:
        with self._lock:
            self._held[claim.token] = claim
        try:
            self._answer(claim)
        except LeaseLost:
            log.warning("an answer came after its lease and was thrown away", inbox_id=claim.inbox_id)
        finally:
            with self._lock:
                self._held.pop(claim.token, None)
                full = self._thinking >= self._most_thinking
                self._thinking -= claim.kind is Kind.CHAT and claim.token not in self._elsewhere
                self._elsewhere.discard(claim.token)
            self._live.end(claim.inbox_id)
            # The conversation's next message may wait for this one's end; an API call is all of its own.
            if claim.platform != API or full:
                self._answering.wake()

    def _answer(self, claim: Claim) -> None:
        if claim.attempts > MAX_ENDS:
            # The process ended in the middle of every earlier try.
            self._give_up(claim, "process ended while answering")
            return
        language = language_of(claim.text, claim.language, claim.hint)
        if claim.platform != API:
            if refusal := self._admission.refusal(claim, language):
                self._finished(claim, refusal, remember=False, kind=Kind.REFUSED)
                self._done(claim, labels.REFUSED)
                return
            if claim.kind not in {Kind.CHAT, Kind.KNOWN}:
                self._finished(claim, self._commands.answer(claim, language), remember=False)
                self._done(claim, labels.UNSUPPORTED if claim.kind is Kind.UNSUPPORTED else labels.COMMAND)
                return
        turns = self._dialogue.turns(claim)
        choice = self._asker.choose(claim)
        asked = self._asked(claim, turns, choice.arm)
        if asked is not None and self._spared(claim, asked, language):
            return
        if claim.kind is Kind.KNOWN:
            # Not known any more, or not the conversation's first: it takes its place in the model's line.
            self._inbox.give_back(claim, kind=Kind.CHAT)
            return
        completion = None
        try:
            completion = self._ask_model(claim, turns, language, asked, choice)
        finally:
            if asked is not None and (waiting := self._answers.land(asked, _owner(claim), completion)):
                self._inbox.release(waiting)
                self._answering.wake()

    def _asked(self, claim: Claim, turns: list[Turn], arm: str) -> Asked | None:
        """Return the claim's question where its answer needs no context."""
        if claim.platform == API:
            return self._answers.of_call(claim.payload, arm)
        if len(turns) != 2:
            return None
        return self._answers.of_message(
            claim.platform, claim.text, chosen=claim.language, hint=claim.hint, arm=arm
        )

    def _spared(self, claim: Claim, asked: Asked, language: str) -> bool:
        """Answer ``asked`` without the model, or let it wait for the answer that somebody else gets."""
        known = self._answers.known(asked, claim.inbox_id)
        if known is not None:
            self._metrics.answer_cache.labels(labels.HIT).inc()
            spoken = Spoken(Completion(known.text, 0, 0, "stop"), labels.STABLE, 0.0)
            self._finish(claim, spoken, language, cached=True)
            return True
        if not asked.read:
            return False
        if claim.kind is Kind.KNOWN:
            flight = self._answers.flights.follow(asked.key, claim.inbox_id)
        else:
            flight = self._answers.board(asked, _owner(claim), claim.inbox_id)
        if flight is None:
            if claim.kind is not Kind.KNOWN:
                self._metrics.answer_cache.labels(labels.MISS).inc()
            return False
        # It waits in the inbox, with no thread and no place in the model's line; if nobody comes back for it
        # (another process took the lead, this one was killed), it is tried again by itself.
        self._inbox.give_back(claim, self._options.deadline_seconds, kind=Kind.KNOWN)
        if flight.landed.is_set():
            self._inbox.release([claim.inbox_id])
            self._answering.wake()
        return True

    def _ask_model(
        self, claim: Claim, turns: list[Turn], language: str, asked: Asked | None, choice: Choice
    ) -> Completion | None:
        """Have the model answer and commit what becomes of it; returns the answer if there is one."""
        # An API call is a conversation of its own, whose id is the message's.
        watch = self._progress.of(claim.chat) if claim.platform == API else None
        try:
            spoken = self._asker.ask(
                Asking(
                    claim,
                    turns,
                    language,
                    watch,
                    choice,
                    away=lambda: self._leave_line(claim),
                    back=lambda: self._return_to_line(claim),
                )
            )
        except InLine:
            self._inbox.give_back(claim, IN_LINE_SECONDS)
        except Stopping:
            if watch is not None and watch.gone:
                # Its caller was sent away before the process ends: nobody needs it after the restart.
                nothing = Completion("", 0, 0, "cancelled")
                self._finish(claim, Spoken(nothing, choice.arm, 0.0), language)
            else:
                self._inbox.give_back(claim)
        except QueueFull as full:
            self._inbox.give_back(claim, full.retry_after)
        except RequestError:
            log.exception("a message cannot be answered", inbox_id=claim.inbox_id)
            self._give_up(claim, "RequestError")
        except Outage as outage:
            self._wait_for_model(claim, watch, outage, choice.arm)
        except InferenceError as error:
            log.exception("an answer failed", inbox_id=claim.inbox_id, attempt=claim.attempts)
            self._try_again(claim, watch, error, choice.arm)
        else:
            if asked is not None and spoken.arm == labels.STABLE == choice.arm:
                self._answers.keep(asked, spoken.completion, claim.inbox_id)
            self._finish(claim, spoken, language)
            return spoken.completion
        return None

    def _leave_line(self, claim: Claim) -> None:
        """The message waits for the candidate: another one may have its place in the model's line."""
        with self._lock:
            self._elsewhere.add(claim.token)
            self._thinking -= 1
        self._answering.wake()

    def _return_to_line(self, claim: Claim) -> None:
        with self._lock:
            self._elsewhere.discard(claim.token)
            self._thinking += 1

    def _try_again(self, claim: Claim, watch: Watch | None, error: InferenceError, arm: str) -> None:
        # What a caller has read cannot be taken back: another try would begin with other words.
        if watch is not None and watch.spoken:
            self._give_up(claim, type(error).__name__, arm)
        elif claim.attempts >= MAX_ATTEMPTS:
            self._give_up(claim, type(error).__name__)
        else:
            self._inbox.retry(claim, BACKOFF_SECONDS[min(claim.attempts, len(BACKOFF_SECONDS)) - 1])

    def _wait_for_model(self, claim: Claim, watch: Watch | None, outage: Outage, arm: str) -> None:
        """Put the message back: it is answered when the model is back. An API's caller does not wait."""
        if claim.platform == API:
            self._try_again(claim, watch, outage, arm)
        elif claim.age > OUTAGE_SECONDS:
            self._give_up(claim, type(outage).__name__)
        else:
            pause = min(LONGEST_OUTAGE_PAUSE_SECONDS, max(BACKOFF_SECONDS[0], claim.age / 4))
            log.warning("the model is away", inbox_id=claim.inbox_id, reason=type(outage).__name__)
            self._inbox.give_back(claim, max(pause, getattr(outage, "retry_after", None) or 0.0))

    def _finish(self, claim: Claim, spoken: Spoken, language: str, *, cached: bool = False) -> None:
        completion, made = spoken.completion, spoken.made
        text = completion.text or ("" if claim.platform == API else EMPTY(language))
        detail: dict[str, Any] = {
            "prompt_tokens": completion.prompt_tokens,
            "completion_tokens": completion.completion_tokens,
            "finish_reason": completion.finish_reason,
        }
        reply = {**detail, ARM: spoken.arm, CACHED: cached}
        remember = claim.platform != API and bool(completion.text)
        shown = {RATEABLE: True, LANGUAGE: language} if remember else {}
        kind = Kind.CHAT if claim.kind is Kind.KNOWN else None
        also = None if made is None else lambda session: self._asker.put(session, made)
        self._finished(claim, text, remember=remember, detail={**reply, **shown}, kind=kind, also=also)
        self._count(claim, spoken, cached=cached)
        log.info(
            "answered",
            inbox_id=claim.inbox_id,
            platform=claim.platform,
            duration=spoken.seconds,
            cached=cached,
            arm=spoken.arm,
            **detail,
            **said(text),
        )
        cancelled = completion.finish_reason == "cancelled"
        result = labels.CANCELLED if cancelled else labels.ANSWERED
        self._done(claim, labels.CACHED if cached else result, spoken.arm)

    def _count(self, claim: Claim, spoken: Spoken, *, cached: bool) -> None:
        completion, arm = spoken.completion, spoken.arm
        if not cached:
            self._metrics.generation.labels(arm).observe(spoken.seconds)
        for kind, tokens in zip(
            labels.TOKENS, (completion.prompt_tokens, completion.completion_tokens), strict=True
        ):
            self._metrics.tokens.labels(kind, arm).inc(tokens)
        # An API call takes its answer itself, and the sender hands over those that are sent.
        if claim.platform != API and claim.platform not in self._push:
            self._metrics.handed_over(claim.platform, arm, claim.waited, cached=cached)

    def _give_up(self, claim: Claim, reason: str, arm: str = labels.STABLE) -> None:
        # A person must never meet silence: the reply says that there is none.
        language = language_of(claim.text, claim.language, claim.hint)
        text = FAILED(language)
        if claim.trace_id:
            text += "\n" + REFERENCE(language, short=claim.trace_id[: correlation.SHORT])
        self._finished(claim, text, remember=False, dead_reason=reason)
        log.error("a message was given up", inbox_id=claim.inbox_id, platform=claim.platform, reason=reason)
        self._done(claim, labels.FAILED, arm)

    def _finished(self, claim: Claim, reply: str, *, remember: bool, **more: Any) -> None:
        self._inbox.finish(claim, reply, push=claim.platform in self._push, remember=remember, **more)

    def _done(self, claim: Claim, result: str, arm: str = labels.STABLE) -> None:
        self._metrics.ended(claim.platform, result, arm)
        if claim.platform == API:
            self._progress.forget(claim.chat)
        if claim.platform in self._push:
            self.on_reply(claim.platform)


def _owner(claim: Claim) -> object:
    """Return by which name the claim leads others: the API's routes know its message's id alone."""
    return claim.chat if claim.platform == API else claim.inbox_id
