"""How fast the bot may speak.

core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this: about one message a second in a
chat (short bursts go through), 20 a minute in a group, about 30 a second in all. Edits are counted like
messages, for Telegram answers 429 to too many of them as well. Finished answers go first: drafts use only
what those leave.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

CHAT_RATE, CHAT_BURST = 1.0, 3.0  # messages a second, messages at once after a pause
GROUP_MESSAGES, GROUP_SECONDS = 20, 60.0
# Below the documented 30: the network may bring calls closer together than they were made.
ALL_MESSAGES, ALL_SECONDS = 25, 1.0
# What drafts leave to finished answers: messages of a chat's burst, of a group's minute, of a second in all.
CHAT_RESERVE, GROUP_RESERVE, ALL_RESERVE = 1.0, 8, 10
_MANY_CHATS = 1000


def is_group(chat: str) -> bool:
    """Whether ``chat`` is a group: those have ids below 0."""
    return chat.startswith("-")


@dataclass(frozen=True)
class Wait:
    """How long a call has to wait, in seconds; ``all`` when no other chat may be written to sooner."""

    seconds: float = 0.0
    all: bool = False


@dataclass
class _Chat:
    tokens: float = CHAT_BURST
    since: float = 0.0
    minute: deque[float] = field(default_factory=deque)


class Pace:
    """Counts calls; shared by all threads that send through one bot."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing sent; ``clock`` gives seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._chats: dict[str, _Chat] = {}
        self._second: deque[float] = deque()
        self._held: dict[str, float] = {}
        self._drafts_held = 0.0

    def take(self, chat: str, *, draft: bool = False) -> Wait:
        """Count a call to ``chat`` if it may be made now.

        Args:
            chat: the chat's id, without a topic: a group's topics share its limit.
            draft: whether this is only a draft.

        Returns:
            how long to wait before asking again; 0 seconds when the call is counted and may be made.
        """
        with self._lock:
            now = self._clock()
            wait = self._wait(chat, draft, now)
            if wait.seconds <= 0:
                known = self._chats[chat]
                known.tokens -= 1
                known.minute.append(now)
                self._second.append(now)
            return wait

    def hold(self, chat: str, seconds: float) -> None:
        """Send nothing to ``chat`` and no drafts at all for ``seconds``: Telegram asked for it (429)."""
        with self._lock:
            until = self._clock() + seconds
            self._held[chat] = max(until, self._held.get(chat, 0.0))
            self._drafts_held = max(until, self._drafts_held)

    def held(self, chat: str) -> bool:
        """Whether Telegram asked to leave ``chat`` alone."""
        with self._lock:
            return self._held.get(chat, 0.0) > self._clock()

    def _wait(self, chat: str, draft: bool, now: float) -> Wait:
        known = self._refilled(chat, now)
        _drop(self._second, now - ALL_SECONDS)
        held = self._held.get(chat, 0.0) - now
        if draft:
            held = max(held, self._drafts_held - now)
        if held > 0:
            return Wait(held)
        tokens = 1.0 + (CHAT_RESERVE if draft else 0.0)
        if known.tokens < tokens:
            return Wait((tokens - known.tokens) / CHAT_RATE)
        messages = GROUP_MESSAGES - (GROUP_RESERVE if draft else 0)
        if is_group(chat) and len(known.minute) >= messages:
            return Wait(known.minute[len(known.minute) - messages] + GROUP_SECONDS - now)
        messages = ALL_MESSAGES - (ALL_RESERVE if draft else 0)
        if len(self._second) >= messages:
            return Wait(self._second[len(self._second) - messages] + ALL_SECONDS - now, all=True)
        return Wait()

    def _refilled(self, chat: str, now: float) -> _Chat:
        if len(self._chats) > _MANY_CHATS:
            self._forget_quiet(now)
        known = self._chats.setdefault(chat, _Chat(since=now))
        known.tokens = min(CHAT_BURST, known.tokens + (now - known.since) * CHAT_RATE)
        known.since = now
        _drop(known.minute, now - GROUP_SECONDS)
        return known

    def _forget_quiet(self, now: float) -> None:
        quiet = [c for c, known in self._chats.items() if now - known.since > GROUP_SECONDS]
        for chat in quiet:
            del self._chats[chat]
        self._held = {chat: until for chat, until in self._held.items() if until > now}


def _drop(times: deque[float], before: float) -> None:
    while times and times[0] <= before:
        times.popleft()
