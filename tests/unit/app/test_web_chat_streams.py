"""Streams of unfinished answers: what a page is told, and how many there may be."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from flask import Flask, Response

from assistant.channels.web_chat.streams import STREAMS_PER_CHAT, Streams
from assistant.live import Live, LiveAnswer
from assistant.store.outbox import Standing
from assistant.web.errors import Refused

PENDING = Standing(number=7, ahead=2, reply=None, failed=False, rateable=False)
DONE = Standing(number=7, ahead=0, reply="one two", failed=False, rateable=True)
END = {"number": 7, "reply": "one two", "failed": False, "rateable": True}


@pytest.fixture(autouse=True)
def application() -> Any:
    with Flask("test").app_context():
        yield


def begin(live: Live) -> LiveAnswer:
    return live.begin(LiveAnswer(7, "web_chat", "chat", "", "en"))


def lines(response: Response) -> Any:
    return (json.loads(line) for line in response.response)


def test_a_finished_answer_is_told_at_once() -> None:
    response = Streams(Live(), 1).response("chat", lambda: DONE, {})
    assert response.mimetype == "application/x-ndjson"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert list(lines(response)) == [{"end": END}]


def test_who_waits_is_told_how_many_are_before() -> None:
    found = [PENDING, Standing(7, 1, None, False, False), DONE]
    told = list(lines(Streams(Live(), 1).response("chat", lambda: found.pop(0), {})))
    assert told == [{"waiting": 2}, {"waiting": 1}, {"end": END}]


def test_pieces_come_as_they_are_said() -> None:
    live, state = Live(), [PENDING]
    answer = begin(live)
    told = lines(Streams(live, 1).response("chat", lambda: state[0], {}))
    assert next(told) == {"waiting": 0}
    for piece in ("one", " two"):
        answer.say(piece)
        assert next(told) == {"text": piece}
    state[0] = DONE
    live.end(7)
    assert list(told) == [{"end": END}]


def test_a_try_that_failed_is_taken_back() -> None:
    live, state = Live(), [PENDING]
    answer = begin(live)
    told = lines(Streams(live, 1).response("chat", lambda: state[0], {}))
    answer.say("wro")
    assert [next(told), next(told)] == [{"waiting": 0}, {"text": "wro"}]
    live.end(7)
    assert next(told) == {"again": True}
    begin(live).say("one")
    assert [next(told), next(told)] == [{"waiting": 0}, {"text": "one"}]
    state[0] = DONE
    live.end(7)
    assert list(told) == [{"end": END}]


def test_an_unknown_message_is_refused_and_holds_nothing() -> None:
    streams = Streams(Live(), 1)
    for _ in range(3):
        with pytest.raises(Refused) as caught:
            streams.response("chat", lambda: None, {})
        assert caught.value.status == 404
    assert list(lines(streams.response("chat", lambda: DONE, {}))) == [{"end": END}]


def test_the_number_of_streams_is_limited() -> None:
    streams = Streams(Live(), 3)
    opened = [streams.response("one", lambda: PENDING, {}) for _ in range(STREAMS_PER_CHAT)]
    with pytest.raises(Refused) as caught:
        streams.response("one", lambda: PENDING, {})
    assert (caught.value.status, caught.value.retry_after) == (503, 2)
    opened.append(streams.response("two", lambda: PENDING, {}))
    with pytest.raises(Refused):
        streams.response("three", lambda: PENDING, {})
    # Also a stream of which nothing was read gives its place back.
    opened[0].close()
    streams.response("three", lambda: PENDING, {}).close()
    for response in opened[1:]:
        response.close()
    assert [streams.response("one", lambda: DONE, {}).close() for _ in range(9)] == [None] * 9


def test_many_pages_that_come_and_go_lose_no_place() -> None:
    streams = Streams(Live(), 4)
    taken: list[int] = []

    def visit(number: int) -> None:
        for _ in range(50):
            try:
                response = streams.response(f"chat {number}", lambda: DONE, {})
            except Refused:
                continue
            taken.append(len(list(lines(response))))
            response.close()

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken
    assert set(taken) == {1}
    responses = [streams.response(f"chat {n}", lambda: DONE, {}) for n in range(4)]
    assert len(responses) == 4
