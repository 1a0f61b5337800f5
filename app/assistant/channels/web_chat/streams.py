"""Answers while they are made, as lines of JSON for the page."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from flask import Response

from assistant.closing import Closing
from assistant.live import Live, LiveAnswer
from assistant.store.outbox import Standing
from assistant.web.connection import is_closed
from assistant.web.errors import Refused

LOOK_SECONDS = 0.5
GLANCE_SECONDS = 0.1
# A stream holds a thread, and a process that is to stop waits for it. The page asks again.
WAITING_SECONDS = 10.0
LONGEST_SECONDS = 60.0
STREAMS_PER_CHAT = 2
# nginx passes it on piece by piece only if it is told so (nginx.org, ngx_http_proxy_module).
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Look = Callable[[], Standing | None]


class Streams:
    """The pages that are shown an answer word by word: a limited number, as each holds a thread.

    A line is a JSON object with one member: ``waiting``, how many questions are before this one; ``text``,
    the next piece; ``again``, what was said is void, another try begins; ``end``, the finished reply. A
    stream that closes without ``end`` may be opened again.
    """

    def __init__(self, live: Live, limit: int, closing: Closing | None = None) -> None:
        """Take pieces out of ``live``, for at most ``limit`` pages at once, until ``closing`` is due."""
        self._live, self._limit, self._closing = live, limit, closing or Closing()
        self._open: dict[str, int] = {}
        self._lock = threading.Lock()

    def response(self, chat: str, look: Look, environ: Mapping[str, Any]) -> Response:
        """Return the stream of the message that ``look`` finds.

        Raises:
            Refused: 404 when there is no such message, 503 when too many pages are served.
        """
        first = look()
        if first is None:
            raise Refused(404, "unknown_message", "there is no such message in this conversation")
        with ExitStack() as held:
            self._enter(chat)
            held.callback(self._leave, chat)
            lines = (json.dumps(line) + "\n" for line in self._lines(first, look, environ))
            response = Response(lines, mimetype="application/x-ndjson", headers=HEADERS)
            # Also runs when the page goes away before the first line.
            response.call_on_close(held.pop_all().close)
            return response

    def _enter(self, chat: str) -> None:
        with self._lock:
            mine = self._open.get(chat, 0)
            if mine >= STREAMS_PER_CHAT or sum(self._open.values()) >= self._limit:
                raise Refused(503, "too_many_streams", "ask for the messages from time to time", 2)
            self._open[chat] = mine + 1

    def _leave(self, chat: str) -> None:
        with self._lock:
            self._open[chat] -= 1
            if not self._open[chat]:
                del self._open[chat]

    def _lines(self, first: Standing, look: Look, environ: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        begun = time.monotonic()
        standing: Standing | None = first
        while standing is not None and standing.reply is None:
            answer = self._wait(first.number)
            if answer is not None:
                yield {"waiting": 0}
                yield from self._pieces(answer, begun + LONGEST_SECONDS, environ)
            else:
                yield {"waiting": standing.ahead}
            standing = look()
            if answer is not None and standing is not None and standing.reply is None:
                if not answer.snapshot().ended:
                    return
                yield {"again": True}
            if time.monotonic() > begun + WAITING_SECONDS or self._ends(environ):
                break
        if standing is not None and standing.reply is not None:
            yield {"end": finished(standing)}

    def _wait(self, number: int) -> LiveAnswer | None:
        """Return the answer that is being made, within the time after which the store is asked again."""
        until = time.monotonic() + LOOK_SECONDS
        while (answer := self._live.of(number)) is None and time.monotonic() < until:
            time.sleep(GLANCE_SECONDS)
        return answer

    def _pieces(
        self, answer: LiveAnswer, deadline: float, environ: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        known = 0
        while time.monotonic() < deadline and not self._ends(environ):
            snapshot = answer.wait(known, LOOK_SECONDS)
            if len(snapshot.text) > known:
                yield {"text": snapshot.text[known:]}
                known = len(snapshot.text)
            elif snapshot.ended:
                return

    def _ends(self, environ: Mapping[str, Any]) -> bool:
        return self._closing.due or is_closed(environ)


def finished(standing: Standing) -> dict[str, Any]:
    """Return what the page is told of a reply."""
    return {
        "number": standing.number,
        "reply": standing.reply,
        "failed": standing.failed,
        "rateable": standing.rateable,
    }
