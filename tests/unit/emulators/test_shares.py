"""A network that fails a random share of all calls, the same share for the same seed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest

from tests.emulators.faults import KINDS, Fault, FaultError, Faults
from tests.emulators.feishu import make_feishu_app
from tests.emulators.server import Server
from tests.emulators.telegram import make_telegram_app
from tests.unit.emulators.support import FEISHU, TELEGRAM

SEND = f"/bot{TELEGRAM.bot_token}/sendMessage"
REPLY = "/open-apis/im/v1/messages/om_1/reply"


def drawn(faults: Faults, calls: int, path: str = "/a") -> list[Fault | None]:
    return [faults.take(path) for _ in range(calls)]


def test_a_tenth_of_all_calls_fails_in_each_way() -> None:
    faults = Faults()
    assert faults.order({"share": 0.1, "seed": 5}) == 0
    found = Counter(drawn(faults, 5000))
    assert 400 < 5000 - found[None] < 600
    assert set(found) == {None, *KINDS.values()}
    assert min(found[fault] for fault in KINDS.values()) > 80
    met = faults.met()
    assert met.pop("calls") == 5000 and sum(met.values()) == 5000 - found[None]


def test_same_seed_same_failures() -> None:
    three = [Faults(), Faults(), Faults()]
    for faults, seed in zip(three, (5, 5, 6), strict=True):
        faults.order({"share": 0.3, "seed": seed})
    one, same, other = (drawn(faults, 200) for faults in three)
    assert one == same != other


def test_the_most_particular_share_counts() -> None:
    faults = Faults()
    faults.order({"share": 1, "match": "/a/send", "kinds": ["before"], "delay": 0.5})
    faults.order({"share": 1, "kinds": ["500"]})
    assert drawn(faults, 1, "/a/send") == [KINDS["before"]]
    assert drawn(faults, 1, "/a/edit") == [KINDS["500"]]
    assert (faults.delay("/a/send"), faults.delay("/a/edit")) == (0.5, 0.0)
    faults.order({"share": 0, "match": "/a/send"})
    assert drawn(faults, 1, "/a/send") == [None], "a later order takes the place of an earlier one"
    faults.clear()
    assert (drawn(faults, 1), faults.met()) == ([None], {"calls": 1})


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"share": 1.1}, "from 0 to 1"),
        ({"share": "0.1"}, "from 0 to 1"),
        ({"kinds": ["sideways"]}, "must be a list of some of 500, 429, before, after"),
        ({"kinds": []}, "must be a list"),
        ({"seed": "a"}, "whole number"),
        ({"delay": -1}, "from 0 to 60"),
        ({"times": 3}, '"times" is unknown beside "share"'),
    ],
)
def test_bad_share(more: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultError, match=reason):
        Faults().order({"share": 0.1, **more})


def fail(server: Server, **order: Any) -> None:
    httpx.post(f"{server.url}/_fail", json=order).raise_for_status()


def test_lost_answers_are_recorded() -> None:
    with Server(make_telegram_app(TELEGRAM), "127.0.0.1", 0) as server:
        fail(server, share=1, kinds=["after"])
        with pytest.raises(httpx.TransportError):
            httpx.post(server.url + SEND, json={"chat_id": 7, "text": "a"})
        fail(server, share=0)
        assert httpx.post(server.url + SEND, json={"chat_id": 7, "text": "b"}).status_code == 200
        sent = httpx.get(f"{server.url}/_sent").json()
        assert [(one["text"], one["answer_lost"]) for one in sent] == [("a", True), ("b", False)]
        assert httpx.get(f"{server.url}/_calls").json() == {"calls": 2, "after": 1}


def test_rate_limits_have_each_platforms_form() -> None:
    with Server(make_telegram_app(TELEGRAM), "127.0.0.1", 0) as server:
        fail(server, share=1, kinds=["429"])
        answer = httpx.post(server.url + SEND, json={"chat_id": 7, "text": "a"})
        assert (answer.status_code, answer.json()["error_code"]) == (429, 429)
        assert answer.json()["parameters"] == {"retry_after": 1}
    with Server(make_feishu_app(FEISHU), "127.0.0.1", 0) as server:
        fail(server, share=1, kinds=["429"])
        answer = httpx.post(server.url + REPLY, json={})
        assert (answer.status_code, answer.json()["code"]) == (429, 99991400)
        assert answer.headers["x-ogw-ratelimit-reset"] == "1"
