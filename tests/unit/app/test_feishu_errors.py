"""What the platform's codes mean, and one token for many threads."""

import threading
import time
from collections.abc import Mapping

import httpx
import pytest

from assistant.channels.base import PermanentError, TransientError
from assistant.channels.feishu import errors
from assistant.channels.feishu.errors import Misconfigured, Refusal, Unauthorised, failure
from assistant.channels.feishu.transport import Transport

NONE: Mapping[str, str] = {}


def test_success_is_no_failure() -> None:
    assert failure(200, 0, NONE) is None


@pytest.mark.parametrize("code", sorted(errors.RATE_LIMITS))
def test_rate_limits_say_how_long_to_wait(code: int) -> None:
    for headers, wait in (
        ({"x-ogw-ratelimit-reset": "7"}, 7.0),
        ({"x-ogw-ratelimit-reset": "100000"}, 300.0),
        ({"x-ogw-ratelimit-reset": "0"}, 1.0),
        ({"x-ogw-ratelimit-reset": "soon"}, errors.RATE_LIMITS[code]),
        (NONE, errors.RATE_LIMITS[code]),
    ):
        found = failure(400, code, headers)
        assert isinstance(found, TransientError)
        assert found.retry_after == wait


@pytest.mark.parametrize("code", [230049, 200810, 300120, 1500, 10101])
def test_some_pass_by_themselves(code: int) -> None:
    found = failure(400, code, NONE)
    assert isinstance(found, TransientError)
    assert (found.retry_after, str(code) in found.reason) == (None, True)


@pytest.mark.parametrize(("status", "code"), [(500, 500), (502, 502), (503, 2), (408, 408)])
def test_servers_that_fail(status: int, code: int) -> None:
    assert isinstance(failure(status, code, NONE), TransientError)


@pytest.mark.parametrize("code", [99991672, 10014, 99991401, 230006, 99991403])
def test_some_wait_for_an_operator(code: int) -> None:
    found = failure(400, code, NONE)
    assert isinstance(found, Misconfigured)
    assert (found.code, found.retry_after) == (code, None)
    assert found.reason.startswith(f"feishu code {code}: ")


@pytest.mark.parametrize(
    "code", [230002, 230011, 230013, 230018, 230022, 230028, 230035, 230053, 232009, 4711]
)
def test_some_are_final(code: int) -> None:
    found = failure(400, code, NONE)
    assert isinstance(found, Refusal)
    assert isinstance(found, PermanentError)
    assert found.reason.startswith(f"feishu code {code}")


@pytest.mark.parametrize("code", sorted(errors.INVALID_TOKEN))
def test_tokens_that_have_ended(code: int) -> None:
    assert isinstance(failure(400, code, NONE), Unauthorised)


def test_no_code_means_two_things() -> None:
    tables = [
        set(errors.INVALID_TOKEN),
        set(errors.RATE_LIMITS),
        set(errors.PASSING),
        set(errors.FOR_THE_OPERATOR),
        set(errors.MEANINGS) | errors.CARD_GONE | errors.CARD_REFUSED | errors.STREAMING_OVER,
    ]
    assert sum(map(len, tables)) == len(set().union(*tables))


class Platform:
    """Gives tokens slowly, and takes a call only with the newest."""

    def __init__(self) -> None:
        self.given = 0
        self.lifetime = 7200
        self.valid = ""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/internal"):
            self.given += 1
            time.sleep(0.05)
            self.valid = f"t-{self.given}"
            token = {"code": 0, "tenant_access_token": self.valid, "expire": self.lifetime}
            return httpx.Response(200, json=token)
        good = request.headers["Authorization"] == f"Bearer {self.valid}"
        return httpx.Response(200, json={"code": 0}) if good else httpx.Response(400, json={"code": 99991663})

    def transport(self) -> Transport:
        http = httpx.Client(transport=httpx.MockTransport(self), base_url="http://feishu")
        return Transport("", "id", "secret", http)


def at_once(transport: Transport, calls: int) -> None:
    problems: list[Exception] = []

    def call() -> None:
        try:
            transport.call("GET", "/x")
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=call) for _ in range(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_many_threads_ask_for_one_token() -> None:
    platform = Platform()
    transport = platform.transport()
    at_once(transport, 8)
    assert platform.given == 1
    platform.valid = "withdrawn"
    at_once(transport, 8)
    assert platform.given == 2


def test_a_token_is_renewed_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform()
    transport = platform.transport()
    transport.call("GET", "/x")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 7200 - 310)
    transport.call("GET", "/x")
    assert platform.given == 1
    monkeypatch.setattr(time, "monotonic", lambda: now + 7200 - 290)
    transport.call("GET", "/x")
    assert platform.given == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, text="<html>a login page</html>"), TransientError),
        (httpx.Response(200, json={"code": "0"}), TransientError),
        (httpx.Response(200, json={"error": "who are you?"}), TransientError),
        (httpx.Response(404, text="gone"), PermanentError),
        (httpx.Response(400, json={"code": 0}), PermanentError),
        (httpx.Response(200, json=[]), TransientError),
    ],
)
def test_answers_of_something_else(answer: httpx.Response, kind: type[Exception]) -> None:
    http = httpx.Client(transport=httpx.MockTransport(lambda request: answer), base_url="http://feishu")
    with pytest.raises(kind):
        Transport("", "id", "secret", http).call_openly("GET", "/x", None)
