"""The access code: who gets in, for how long, and how often one may be wrong."""

from __future__ import annotations

import threading
import time

import pytest

from assistant.channels.web_chat.access import ACCESS_SECONDS, Gate
from assistant.channels.web_chat.throttle import (
    ADDRESS_SECONDS,
    OVERALL_SECONDS,
    TRIES_OVERALL,
    TRIES_PER_ADDRESS,
    Throttle,
    origin_of,
)
from assistant.web.errors import Refused

CODE = "a good code 你好"
ME, OTHER = "203.0.113.7", "203.0.113.8"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refusal(gate: Gate, code: object, address: str = ME) -> Refused:
    with pytest.raises(Refused) as caught:
        gate.enter(code, address)
    return caught.value


def test_who_knows_the_code_is_let_in_by_the_cookie() -> None:
    gate = Gate(CODE)
    cookie = gate.enter(CODE, ME)
    assert gate.admits(cookie)
    assert CODE not in cookie
    assert cookie != gate.enter(CODE, ME)
    # The same letters in another Unicode form, and a space that a phone adds.
    assert Gate("café-code").admits(Gate("café-code").enter("cafe\u0301-code ", ME))


def test_a_cookie_survives_a_restart_but_not_another_code() -> None:
    cookie = Gate(CODE).enter(CODE, ME)
    assert Gate(CODE).admits(cookie)
    assert not Gate("another good code").admits(cookie)


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "ü.ü.ü", "\x00", "." * 3000])
def test_a_made_up_cookie_is_not_let_in(cookie: str) -> None:
    assert not Gate(CODE).admits(cookie)


def test_a_changed_cookie_is_not_let_in() -> None:
    gate = Gate(CODE)
    cookie = gate.enter(CODE, ME)
    for at in range(len(cookie) - 1):
        spoilt = cookie[:at] + ("A" if cookie[at] != "A" else "B") + cookie[at + 1 :]
        assert not gate.admits(spoilt), at


def test_a_cookie_ends_after_thirty_days(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(CODE)
    begun = time.time()
    cookie = gate.enter(CODE, ME)
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: begun + ACCESS_SECONDS - 10)
    assert gate.admits(cookie)
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: begun + ACCESS_SECONDS + 10)
    assert not gate.admits(cookie)


@pytest.mark.parametrize("code", ["", None, 5, [], {}, True, "x" * 201])
def test_what_is_no_code_is_refused_and_does_not_count(code: object) -> None:
    gate = Gate(CODE)
    for _ in range(TRIES_PER_ADDRESS + 1):
        assert refusal(gate, code).status == 400
    assert gate.admits(gate.enter(CODE, ME))


def test_too_many_wrong_codes_from_one_address() -> None:
    clock = Clock()
    gate = Gate(CODE, Throttle(clock))
    for _ in range(TRIES_PER_ADDRESS):
        assert refusal(gate, "wrong").status == 403
    # Then not even the right one: who guesses learns nothing.
    late = refusal(gate, CODE)
    assert (late.status, late.retry_after) == (429, ADDRESS_SECONDS)
    assert gate.admits(gate.enter(CODE, OTHER))
    clock.now += ADDRESS_SECONDS
    assert gate.admits(gate.enter(CODE, ME))


def test_the_right_code_forgives_earlier_tries() -> None:
    gate = Gate(CODE)
    for _ in range(3):
        for _ in range(TRIES_PER_ADDRESS - 1):
            assert refusal(gate, "wrong").status == 403
        gate.enter(CODE, ME)


def test_many_addresses_share_a_limit() -> None:
    clock = Clock()
    gate = Gate(CODE, Throttle(clock))
    for number in range(TRIES_OVERALL):
        assert refusal(gate, "wrong", f"198.51.100.{number}").status == 403
    late = refusal(gate, CODE)
    assert (late.status, late.retry_after) == (429, OVERALL_SECONDS)
    clock.now += OVERALL_SECONDS
    assert gate.admits(gate.enter(CODE, ME))


def test_many_at_once_are_no_more_than_the_limit() -> None:
    gate = Gate(CODE)
    results: list[int] = []

    def guess() -> None:
        results.append(refusal(gate, "wrong").status)

    threads = [threading.Thread(target=guess) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [403] * TRIES_PER_ADDRESS + [429] * (40 - TRIES_PER_ADDRESS)


def test_what_counts_as_one_address() -> None:
    assert origin_of("2001:db8:1:2::1") == origin_of("2001:db8:1:2:ffff::9")
    assert origin_of("2001:db8:1:2::1") != origin_of("2001:db8:1:3::1")
    assert origin_of("::ffff:203.0.113.7") == origin_of("203.0.113.7") != origin_of("203.0.113.8")
    assert origin_of("") == origin_of("unix:") == ""


def test_without_a_code_everybody_is_let_in() -> None:
    gate = Gate("")
    assert gate.admits("")
    assert gate.enter("anything", ME) == ""
