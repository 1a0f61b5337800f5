"""Events over the long connection, against the emulated platform."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from assistant.channels.base import Intake, Rating
from assistant.channels.feishu.long_connection import LongConnection
from assistant.channels.feishu.reception import Reception
from assistant.channels.feishu.transport import Transport
from assistant.messages import Incoming
from tests.emulators.feishu import make_feishu_app
from tests.emulators.feishu_client import FeishuUser, card_action_event, message_event
from tests.emulators.server import Server
from tests.unit.emulators.support import FEISHU

USER = FeishuUser("ou_1", "oc_1")


def until(what: str, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Place:
    """A connection to an emulated platform, and what comes over it."""

    def __init__(self, url: str, secret: str = FEISHU.app_secret) -> None:
        self.url = url
        self.messages: list[Incoming] = []
        self.ratings: list[Rating] = []
        self.broken = threading.Event()
        reception = Reception(Intake(self._accept, self._rate), lambda: "")
        client = httpx.Client(base_url=url, trust_env=False)
        self.connection = LongConnection(Transport("", FEISHU.app_id, secret, client), reception)

    def _accept(self, message: Incoming) -> int:
        if self.broken.is_set():
            raise OSError("the database is away")
        self.messages.append(message)
        return len(self.messages)

    def _rate(self, rating: Rating) -> bool:
        self.ratings.append(rating)
        return True

    def post(self, page: str, **body: Any) -> Any:
        return httpx.post(f"{self.url}{page}", json=body, trust_env=False).json()

    def open(self) -> int:
        return int(httpx.get(f"{self.url}/_connections", trust_env=False).json()["open"])


@pytest.fixture
def url() -> Iterator[str]:
    with Server(make_feishu_app(FEISHU), "127.0.0.1", 0) as server:
        yield server.url


@pytest.fixture
def place(url: str) -> Iterator[Place]:
    made = Place(url)
    made.connection.start()
    until("the connection is open", made.open)
    yield made
    made.connection.stop()


def event(text: str = "hello", message_id: str = "om_1") -> dict[str, Any]:
    return message_event(text, app_id=FEISHU.app_id, verification_token="", user=USER, message_id=message_id)


def test_a_message_is_taken_and_acknowledged(place: Place) -> None:
    assert place.post("/_push", event=event())["code"] == 200
    assert [(m.message_id, m.text) for m in place.messages] == [("om_1", "hello")]


def test_an_event_in_several_frames(place: Place) -> None:
    text = "一段很长的话。" * 500
    assert place.post("/_push", event=event(text), parts=7)["code"] == 200
    assert place.messages[0].text == text


def test_what_could_not_be_committed_is_not_acknowledged(place: Place) -> None:
    place.broken.set()
    assert place.post("/_push", event=event())["code"] == 500
    place.broken.clear()
    assert place.post("/_push", event=event())["code"] == 200
    assert len(place.messages) == 1


def test_a_click_gets_its_notice(place: Place) -> None:
    value = {"answer": 7, "root": "", "score": 1}
    click = card_action_event(value, app_id=FEISHU.app_id, verification_token="", user=USER)
    answer = place.post("/_push", event=click)
    assert (answer["code"], answer["data"]["toast"]["type"]) == (200, "success")
    assert place.ratings == [Rating("feishu", "oc_1", 7, 1, "ou_1")]


def test_a_lost_connection_comes_back(place: Place) -> None:
    place.post("/_drop")
    until("the connection was lost", lambda: not place.open())
    until("the connection is back", place.open)
    assert place.post("/_push", event=event())["code"] == 200


def test_it_asks_whether_the_platform_is_there(place: Place) -> None:
    until("a ping", lambda: httpx.get(f"{place.url}/_connections", trust_env=False).json()["pings"])


def test_stopping_closes_it(url: str) -> None:
    place = Place(url)
    place.connection.start()
    until("the connection is open", place.open)
    place.connection.stop()
    until("the connection is closed", lambda: not place.open())


def test_a_wrong_secret_is_named(url: str, caplog: pytest.LogCaptureFixture) -> None:
    place = Place(url, "wrong")
    place.connection.start()
    until("it says so", lambda: "app id or app secret is wrong" in str([vars(r) for r in caplog.records]))
    place.connection.stop()
