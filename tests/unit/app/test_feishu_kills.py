"""A kill, or a lost call, between any two calls: the whole answer stands in the chat, once.

What the streamer and the sender do is done here in a few lines; the platform is the emulated one.
"""

import email.utils
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from assistant.channels.base import Part, PermanentError, TransientError
from assistant.channels.feishu import client as client_module
from assistant.channels.feishu.client import FeishuClient
from tests.emulators.feishu import make_feishu_app
from tests.unit.emulators.support import FEISHU

WHOLE = "The whole answer, 全部。"
# The calls of an answer: token, card, reply, two changes, the end; trouble makes more of them.
MOST_CALLS = 10


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Network(httpx.BaseTransport):
    """Lets calls through, but for one."""

    platform: httpx.BaseTransport
    trouble_at: int
    trouble: str
    calls: int = field(default=0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.calls != self.trouble_at:
            return self._pass(request)
        what, _, when = self.trouble.partition(" ")
        if when == "after":
            self._pass(request)
        if what == "kill":
            raise Killed
        if what == "busy":
            return httpx.Response(503, json={"code": 2, "msg": "busy"})
        raise httpx.ReadTimeout("lost")

    def _pass(self, request: httpx.Request) -> httpx.Response:
        response = self.platform.handle_request(request)
        response.headers["Date"] = email.utils.formatdate(time.time(), usegmt=True)
        response.read()
        return response


class Answering:
    """One answer, from its first words to its end, over kills."""

    def __init__(self, network: Network, *, rateable: int) -> None:
        self.network, self.rateable = network, rateable
        self.draft = ""
        self.done = False

    def client(self) -> FeishuClient:
        http = httpx.Client(transport=self.network, base_url="http://feishu")
        return FeishuClient("", FEISHU.app_id, FEISHU.app_secret, http)

    def part(self, text: str, **fields: object) -> Part:
        return Part("oc_1", text, "om_q", "k" * 32, **fields)  # type: ignore[arg-type]  # only known ones

    def stream(self, client: FeishuClient) -> None:
        for text in ("The", "The whole", "The whole answer"):
            try:
                if not self.draft:
                    self.draft = client.open_draft(self.part(text))
                else:
                    client.change_draft("oc_1", self.draft, text)
            except TransientError:
                continue
            except PermanentError:
                return

    def send(self, client: FeishuClient) -> None:
        for _ in range(5):
            try:
                client.send(self.part(WHOLE, draft=self.draft, rateable=self.rateable))
            except TransientError:
                continue
            self.done = True
            return
        raise AssertionError("never sent")

    def run(self, streams: bool) -> None:
        """As one process does it after another; each kill leaves what was committed."""
        steps: list[Callable[[FeishuClient], None]] = [self.stream, self.send] if streams else [self.send]
        while steps:
            client = self.client()
            try:
                while steps:
                    steps[0](client)
                    steps.pop(0)
            except Killed:
                continue


TROUBLES = ["kill before", "kill after", "lost before", "lost after", "busy before"]


@pytest.mark.parametrize("rateable", [7, 0])
@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("withheld", ["", "cardkit:card:read", "cardkit:card:write"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_answer_is_there_once(
    trouble: str, withheld: str, streams: bool, rateable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = 0
    for trouble_at in range(1, MOST_CALLS + 1):
        app = make_feishu_app(FEISHU)
        tests = app.test_client()
        tests.post("/_message", json={"message_id": "om_q", "chat_id": "oc_1"})
        if withheld:
            tests.post("/_withhold", json={"scope": withheld})
        # Another process comes later than the clocks' error, in the test as on a host.
        monkeypatch.setattr(client_module, "CLOCK_SECONDS", -3600.0 if trouble.startswith("kill") else 2.0)
        network = Network(httpx.WSGITransport(app=app), trouble_at, trouble)
        answering = Answering(network, rateable=rateable)
        answering.run(streams)
        assert answering.done
        sent = tests.get("/_sent").get_json()
        assert [s["text"] for s in sent] == [WHOLE], f"call {trouble_at} of {network.calls}"
        assert not sent[0]["streaming"]
        met += network.calls >= trouble_at
    assert met >= 2, "the trouble is met"


def test_two_troubles() -> None:
    for first, second in itertools.combinations(range(1, MOST_CALLS), 2):
        app = make_feishu_app(FEISHU)
        tests = app.test_client()
        tests.post("/_message", json={"message_id": "om_q", "chat_id": "oc_1"})
        inner = Network(httpx.WSGITransport(app=app), second, "lost after")
        answering = Answering(Network(inner, first, "lost before"), rateable=7)
        answering.run(streams=True)
        sent = tests.get("/_sent").get_json()
        assert [s["text"] for s in sent] == [WHOLE], f"calls {first} and {second}"
