"""Feishu's webhook lets in what comes from the app, in each scheme, and nothing else."""

import base64
import json
import subprocess
from typing import Any

import pytest

from assistant.channels.feishu.crypto import hmac_signature, hmac_signature_is_valid
from assistant.channels.feishu.gate import Gate, Scheme
from assistant.web.errors import Refused
from tests.emulators.feishu_client import plain, sealed, url_verification

KEY, TOKEN = "test key", "test token"
NOW = 1_700_000_000
EVENT: dict[str, Any] = {
    "schema": "2.0",
    "header": {"token": TOKEN, "event_type": "x"},
    "event": {"y": "世界"},
}
HMAC: Scheme = "hmac-sha256"


def gate(**changes: Any) -> Gate:
    return Gate(**{"verification_token": TOKEN, "encrypt_key": KEY, "now": lambda: NOW, **changes})


PLAIN = gate(encrypt_key="", plain_events=True)


def opened(by: Gate, request: tuple[bytes, dict[str, str]]) -> dict[str, Any]:
    body, headers = request
    return by.open(json.loads(body), body, headers)


def refusal(by: Gate, request: tuple[bytes, dict[str, str]]) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        opened(by, request)
    return caught.value.status, caught.value.code


def changed(request: tuple[bytes, dict[str, str]], **headers: str) -> tuple[bytes, dict[str, str]]:
    return request[0], {**request[1], **{k.replace("_", "-"): v for k, v in headers.items()}}


def test_hmac_signature_is_what_openssl_makes() -> None:
    command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"key:{KEY}", "-binary"]
    made = subprocess.run(command, input=b'1700000000{"a":1}', capture_output=True, check=True).stdout
    expected = base64.b64encode(made).decode()
    assert hmac_signature("1700000000", KEY, b'{"a":1}') == expected
    assert hmac_signature_is_valid(expected, "1700000000", KEY, b'{"a":1}')
    for given, timestamp, key, body in [
        (expected, "1700000001", KEY, b'{"a":1}'),
        (expected, "1700000000", "another", b'{"a":1}'),
        (expected, "1700000000", KEY, b'{"a":2}'),
        (made.hex(), "1700000000", KEY, b'{"a":1}'),
        (expected.rstrip("="), "1700000000", KEY, b'{"a":1}'),
        ("é", "1700000000", KEY, b'{"a":1}'),
        ("", "1700000000", KEY, b'{"a":1}'),
        (hmac_signature("", KEY, b"{}"), "", KEY, b"{}"),
        (hmac_signature("1700000000", "", b"{}"), "1700000000", "", b"{}"),
    ]:
        assert not hmac_signature_is_valid(given, timestamp, key, body)


@pytest.mark.parametrize("encrypted", [True, False])
def test_gateways_scheme_takes_plain_and_encrypted_events(encrypted: bool) -> None:
    request = sealed(EVENT, KEY, scheme=HMAC, encrypted=encrypted)
    assert opened(gate(scheme=HMAC), request) == EVENT
    assert refusal(gate(scheme=HMAC, encrypt_key="another"), request)[0] == 401
    assert refusal(gate(scheme=HMAC), (request[0] + b" ", request[1])) == (401, "invalid_signature")
    for header in ("X_Lark_Signature", "X_Lark_Request_Timestamp"):
        for value in ("", "1", "ü"):
            assert refusal(gate(scheme=HMAC), changed(request, **{header: value})) == (
                401,
                "invalid_signature",
            )


def test_each_scheme_refuses_the_others_signature() -> None:
    assert opened(gate(), sealed(EVENT, KEY)) == EVENT
    assert refusal(gate(), sealed(EVENT, KEY, scheme=HMAC)) == (401, "invalid_signature")
    assert refusal(gate(scheme=HMAC), sealed(EVENT, KEY)) == (401, "invalid_signature")


def test_feishus_scheme_takes_encrypted_events_only() -> None:
    assert refusal(gate(), sealed(EVENT, KEY, encrypted=False)) == (400, "not_encrypted")
    assert refusal(gate(), plain(EVENT)) == (401, "invalid_signature")


def test_plain_events_need_the_token() -> None:
    assert opened(PLAIN, plain(EVENT)) == EVENT
    # Schema 1.0 has the token beside the event.
    assert opened(PLAIN, plain({"token": TOKEN, "event": {}}))["event"] == {}
    for wrong in ({}, {"header": {"token": "another"}}, {"header": {}}, {"token": None}, {"header": None}):
        assert refusal(PLAIN, plain(wrong)) == (401, "invalid_token")


def test_an_encrypted_event_without_a_key_says_what_to_set() -> None:
    assert refusal(PLAIN, sealed(EVENT, KEY)) == (400, "encrypted")


@pytest.mark.parametrize("token", ["", None])
def test_without_a_token_of_its_own_nobody_gets_in(token: Any) -> None:
    nobody = gate(encrypt_key="", verification_token="", plain_events=True)
    assert refusal(nobody, plain({"header": {"token": token}})) == (401, "invalid_token")


def test_without_a_key_a_signature_made_without_one_is_worth_nothing() -> None:
    assert refusal(gate(encrypt_key=""), sealed(EVENT, ""))[0] == 401
    assert (
        refusal(gate(encrypt_key="", scheme=HMAC), sealed(EVENT, "", scheme=HMAC, encrypted=False))[0] == 401
    )


def test_address_check() -> None:
    check = url_verification(TOKEN, "c1")
    wrong = url_verification("another", "c1")
    body, _ = sealed(check, KEY)
    assert opened(gate(), (body, {})) == opened(gate(scheme=HMAC), (body, {})) == check
    assert opened(PLAIN, plain(check)) == check
    assert opened(gate(scheme=HMAC), sealed(check, KEY, scheme=HMAC, encrypted=False)) == check
    assert refusal(gate(), plain(check)) == (401, "invalid_signature")
    assert refusal(gate(scheme=HMAC), plain(check)) == (401, "invalid_signature")
    assert refusal(PLAIN, plain(wrong)) == (401, "invalid_token")
    assert refusal(gate(), sealed(wrong, KEY)) == (401, "invalid_token")


@pytest.mark.parametrize("scheme", ["feishu", "hmac-sha256"])
def test_age_is_looked_at_only_when_asked(scheme: Scheme) -> None:
    day = 86400
    windowed = gate(scheme=scheme, max_age_seconds=day)

    def request(timestamp: str) -> tuple[bytes, dict[str, str]]:
        return sealed(EVENT, KEY, scheme=scheme, timestamp=timestamp)

    for fresh in (str(NOW), str(NOW - day), str(NOW + day), str((NOW - 25_500) * 1000)):
        assert opened(windowed, request(fresh)) == EVENT
    for stale in (str(NOW - day - 1), str(NOW + day + 1), str((NOW - day - 1) * 1000), "-1", "x", "9" * 5000):
        assert refusal(windowed, request(stale)) == (401, "stale_timestamp")
        assert opened(gate(scheme=scheme), request(stale)) == EVENT


def test_a_stale_timestamp_cannot_be_replaced_by_a_fresh_one() -> None:
    old = sealed(EVENT, KEY, timestamp=str(NOW - 10_000_000))
    fresh = changed(old, X_Lark_Request_Timestamp=str(NOW))
    assert refusal(gate(max_age_seconds=86400), fresh) == (401, "invalid_signature")
