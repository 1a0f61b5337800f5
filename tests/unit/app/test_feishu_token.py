"""Feishu's access token is renewed while the old one still works, not when a reply has failed."""

import json
import time

import httpx
import pytest

from assistant.channels.base import Part
from assistant.channels.feishu.client import FeishuClient

LIFETIME_SECONDS = 7200


@pytest.mark.parametrize(
    ("waited", "used"),
    [(LIFETIME_SECONDS - 600, ["t1", "t1"]), (LIFETIME_SECONDS - 240, ["t1", "t2"])],
    ids=["10 minutes before its end", "4 minutes before its end"],
)
def test_the_token_is_renewed_before_it_ends(
    waited: float, used: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    seen: list[str] = []

    def platform(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/internal"):
            given.append(f"t{len(given) + 1}")
            token = {"code": 0, "tenant_access_token": given[-1], "expire": LIFETIME_SECONDS}
            return httpx.Response(200, json=token)
        assert json.loads(request.content)
        seen.append(request.headers["Authorization"].removeprefix("Bearer "))
        return httpx.Response(200, json={"code": 0, "data": {"message_id": f"om_{len(seen)}"}})

    http = httpx.Client(transport=httpx.MockTransport(platform), base_url="http://feishu")
    client = FeishuClient("", "id", "secret", http)
    client.send(Part("oc_1", "one", "om_q1", "key-1"))
    later = time.monotonic() + waited
    monkeypatch.setattr("time.monotonic", lambda: later)
    client.send(Part("oc_1", "two", "om_q2", "key-2"))
    assert seen == used
