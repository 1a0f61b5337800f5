"""The streamer: shows unfinished answers in drafts, at the pace that each platform allows.

Best effort throughout: a draft that cannot be opened or changed costs nothing but the sight of it. The
finished text goes through the outbox and is the sender's.
"""

import threading
import time
from collections.abc import Callable, Mapping

from sqlalchemy.exc import SQLAlchemyError

from assistant import correlation
from assistant.channels.base import Part, PermanentError, Push, SendError, TransientError
from assistant.live import Live, LiveAnswer
from assistant.logs import Log
from assistant.loops import Background, Loop, Loops
from assistant.store.drafts import Drafts

log = Log(__name__)
LOOK_SECONDS = 0.2
# A draft with two letters in it only looks broken.
FIRST_CHARACTERS = 12
# An answer that is there within a second needs no draft: it would cost two or three calls instead of one, of
# the few that a platform allows.
OPEN_AFTER_SECONDS = 1.0
# Telegram shows "typing" for 5 seconds (core.telegram.org/bots/api#sendchataction).
TYPING_SECONDS = 4.5
# How long an answer's end waits for a call about its draft that is under way: a little over the longest one.
SETTLE_SECONDS = 20.0


class _Shown:
    """What is shown of one answer."""

    def __init__(self, answer: LiveAnswer, since: float) -> None:
        self.answer, self.since = answer, since
        self.draft = ""
        self.text = ""
        self.next_change = self.next_typing = 0.0
        self.failed = False
        # Held during each call about this draft, so that the finished text can never be overtaken.
        self.calling = threading.Lock()
        self.settled = False


class Streamer(Background):
    """Watches the answers that this process makes; each platform has a thread of its own."""

    def __init__(
        self,
        live: Live,
        drafts: Drafts,
        channels: Mapping[str, Push],
        clock: Callable[[], float] = time.monotonic,
        open_after: float = OPEN_AFTER_SECONDS,
    ) -> None:
        """Show, on ``channels`` (platform -> channel), answers that take over ``open_after`` seconds."""
        self._open_after = open_after
        self._live, self._drafts, self._clock = live, drafts, clock
        self._channels = dict(channels)
        self._shown: dict[int, _Shown] = {}
        self._lock = threading.Lock()
        self._loops = Loops(
            Loop(f"stream-{platform}", lambda p=platform: self.step(p), idle_seconds=LOOK_SECONDS)  # type: ignore[misc]  # mypy cannot infer defaults
            for platform in self._channels
        )

    def settle(self, number: int) -> None:
        """Let no call about the draft of ``number`` begin any more, and wait for one that is under way.

        The worker calls it before it commits the reply: whoever sends that then knows the draft, and nothing
        older can arrive after it.
        """
        answer = self._live.of(number)
        if answer is None or answer.platform not in self._channels:
            return
        shown = self._of(answer)
        shown.settled = True
        if shown.calling.acquire(timeout=SETTLE_SECONDS):
            shown.calling.release()
        else:
            log.warning("a call about a draft did not end in time", inbox_id=number)

    def step(self, platform: str) -> bool:
        """Show what has changed on ``platform``; returns False, for there is always something to wait for."""
        for answer in self._live.all():
            if answer.platform != platform:
                continue
            shown = self._of(answer)
            with shown.calling:
                # It may have ended during another one's call, and what was noted about it may be gone.
                current = self._live.of(answer.number) is answer
                if current and not (shown.failed or shown.settled):
                    with correlation.following(answer.trace_id):
                        self._show(shown, self._channels[platform])
        with self._lock:
            for number, shown in list(self._shown.items()):
                if self._live.of(number) is not shown.answer:
                    del self._shown[number]
        return False

    def _of(self, answer: LiveAnswer) -> _Shown:
        with self._lock:
            shown = self._shown.get(answer.number)
            if shown is None or shown.answer is not answer:
                shown = self._shown[answer.number] = _Shown(answer, self._clock())
            return shown

    def _show(self, shown: _Shown, channel: Push) -> None:
        answer, now = shown.answer, self._clock()
        try:
            pace = channel.draft_seconds(answer.chat)
            text = answer.snapshot().text.strip()
            due = bool(shown.draft) or now - shown.since >= self._open_after
            if pace and due and len(text) >= FIRST_CHARACTERS and text != shown.text:
                if now >= shown.next_change:
                    self._change(shown, channel, text)
                    shown.next_change = self._clock() + pace
            elif not shown.draft and now >= shown.next_typing:
                shown.next_typing = now + TYPING_SECONDS
                channel.show_typing(answer.chat)
        except TransientError as error:
            shown.next_change = shown.next_typing = now + (error.retry_after or 5.0)
        except PermanentError as error:
            shown.failed = True
            self._say_why(answer, error)
        except SQLAlchemyError as error:
            # The message was deleted, or the database is away: the answer's end will tell.
            shown.failed = True
            log.warning("no draft", inbox_id=answer.number, reason=type(error).__name__)

    def _change(self, shown: _Shown, channel: Push, text: str) -> None:
        answer = shown.answer
        if not shown.draft:
            if self._drafts.must_wait(answer.number):
                return
            key, shown.draft = self._drafts.begin(answer.number)
            if not shown.draft:
                part = Part(answer.chat, text, answer.reply_to, key, language=answer.language)
                shown.draft = channel.open_draft(part)
                self._drafts.opened(answer.number, shown.draft)
                shown.text = text
                log.info("a draft was opened", inbox_id=answer.number, platform=answer.platform)
                return
        channel.change_draft(answer.chat, shown.draft, text)
        shown.text = text
        log.debug("a draft was changed", inbox_id=answer.number, platform=answer.platform)

    @staticmethod
    def _say_why(answer: LiveAnswer, error: SendError) -> None:
        log.info("no draft", inbox_id=answer.number, platform=answer.platform, reason=error.reason)
