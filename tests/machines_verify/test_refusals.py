"""Bad input through the front door: the right status, no reply, no restart, nothing personal in any log."""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Iterator

import httpx
import pytest

from tests.emulators.feishu_client import FeishuUser, message_event, sealed, sign
from tests.machines_verify.machine_access import INFO, on_machine

PRIVATE = "private-words-of-a-person-51c9"
FEISHU = INFO["feishu"]
WEBHOOK = INFO["https_url"] + "/feishu/webhook"


def _event(event_type: str = "im.message.receive_v1") -> tuple[bytes, dict[str, str]]:
    event = message_event(
        PRIVATE,
        app_id=FEISHU["app_id"],
        verification_token=FEISHU["verification_token"],
        user=FeishuUser(),
    )
    header = event["header"]
    assert isinstance(header, dict)
    header["event_type"] = event_type
    return sealed(event, FEISHU["encrypt_key"])


def _post(body: bytes, headers: dict[str, str]) -> int:
    context = ssl.create_default_context(cafile=INFO["ca_file"])
    with httpx.Client(verify=context, trust_env=False, timeout=20) as client:
        return client.post(WEBHOOK, content=body, headers=headers).status_code


def _metrics() -> dict[str, float]:
    """Read what the app counted, from inside: the messages that it took."""
    page = on_machine("docker exec ai-core python3 -c " + json.dumps(_SCRAPE))
    counted = (
        line.rsplit(" ", 1)
        for line in page.splitlines()
        if line.startswith("assistant_requests_total") and 'outcome="accepted"' in line
    )
    return {name: float(figure) for name, figure in counted}


_SCRAPE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/metrics').read().decode())"


@pytest.fixture(autouse=True)
def nothing_comes_of_it() -> Iterator[None]:
    before, sent = _metrics(), _sent()
    yield
    assert _metrics() == before
    assert _sent() == sent
    logs = on_machine("docker logs ai-core 2>&1; cat /var/log/nginx/*.log")
    assert PRIVATE not in logs


def _sent() -> int:
    with urllib.request.urlopen(FEISHU["emulator_url"] + "/_sent", timeout=10) as answer:
        return len(json.load(answer))


def test_a_forged_signature() -> None:
    body, headers = _event()
    assert _post(body, {**headers, "X-Lark-Signature": "0" * 64}) == 401


def test_a_wrong_content_type() -> None:
    body, headers = _event()
    assert _post(body, {**headers, "Content-Type": "text/plain"}) == 415


def test_two_megabytes() -> None:
    body, headers = _event()
    assert _post(body + b" " * 2_000_000, headers) == 413


def test_broken_json() -> None:
    _, headers = _event()
    body = b'{"encrypt": '
    timestamp, nonce = headers["X-Lark-Request-Timestamp"], headers["X-Lark-Request-Nonce"]
    signature = sign(timestamp, nonce, FEISHU["encrypt_key"], body)
    assert _post(body, {**headers, "X-Lark-Signature": signature}) == 400


def test_an_unknown_event_is_accepted_and_ignored() -> None:
    assert _post(*_event("contact.user.created_v3")) == 200
