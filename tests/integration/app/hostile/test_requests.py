"""Hypothesis: bodies and headers for every door, with and without a right to be heard."""

from typing import Any
from urllib.parse import quote_from_bytes

from hypothesis import given
from hypothesis import strategies as st

from tests.emulators.feishu_client import FeishuUser, encrypt, message_event, sign
from tests.emulators.telegram_client import SECRET_HEADER, TelegramUser, message_update
from tests.integration.app.hostile.conftest import hostile
from tests.integration.app.hostile.strategies import (
    bodies,
    content_types,
    cookies,
    header_values,
    mutated,
    texts,
    values,
)
from tests.integration.app.hostile.target import Target, as_json
from tests.integration.app.process import APP_ID, SECRETS

KEY, TOKEN = SECRETS["feishu_encrypt_key"], SECRETS["feishu_verification_token"]
JSON = ("Content-Type", b"application/json")
BEARER = ("Authorization", f"Bearer {SECRETS['api_token']}".encode())
TELEGRAM_SECRET = (SECRET_HEADER, SECRETS["telegram_secret_token"].encode())
EVENT = message_event("hello", app_id=APP_ID, verification_token=TOKEN, user=FeishuUser())
UPDATE = message_update("hello", user=TelegramUser())
CALL = {
    "messages": [{"role": "user", "content": "hello"}],
    "max_tokens": 1,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 5,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "seed": 7,
    "stop": ["x"],
    "n": 1,
    "stream": False,
    "response_format": {"type": "text"},
}
GUARDED = ("/feishu/webhook", "/telegram/webhook", "/v1/chat/completions", "/v1/models")
names = st.integers(0, 2**128).map(lambda n: f"{n:032x}-0")
chats = st.fixed_dictionaries({"id": st.one_of(names, values), "text": st.one_of(texts, values)})


@hostile(0.15)
@given(
    path=st.sampled_from(GUARDED),
    method=st.sampled_from(["POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    body=st.one_of(bodies, st.sampled_from([as_json(EVENT), as_json(UPDATE), as_json(CALL)])),
    kind=content_types,
    proofs=st.fixed_dictionaries(
        {},
        optional={
            "Authorization": st.one_of(header_values, header_values.map(lambda v: b"Bearer " + v)),
            SECRET_HEADER: header_values,
            "X-Lark-Signature": st.one_of(header_values, st.just(b"0" * 64)),
            "X-Lark-Request-Timestamp": header_values,
            "X-Lark-Request-Nonce": header_values,
            "X-Forwarded-For": header_values,
        },
    ),
)
def test_without_a_proof_nothing_is_kept(
    target: Target, path: str, method: str, body: bytes, kind: bytes, proofs: dict[str, bytes]
) -> None:
    answer = target.send(method, path, body, [("Content-Type", kind), *proofs.items()])
    if method != "OPTIONS":
        target.refuses(answer)


@hostile(0.1)
@given(event=mutated(EVENT), key=st.sampled_from([KEY, "another key"]), forged=st.booleans())
def test_forged_feishu_events(target: Target, event: Any, key: str, forged: bool) -> None:
    """Well encrypted perhaps, but never well signed: an event needs both."""
    body = as_json({"encrypt": encrypt(as_json(event), key)})
    wrong = sign("1700000000", "nonce", "another key", body).encode() if forged else b""
    headers = [JSON, ("X-Lark-Request-Timestamp", b"1700000000"), ("X-Lark-Request-Nonce", b"nonce")]
    answer = target.send("POST", "/feishu/webhook", body, [*headers, ("X-Lark-Signature", wrong)])
    if not (isinstance(event, dict) and event.get("type") == "url_verification"):
        target.refuses(answer)


@hostile(0.1)
@given(
    event=st.one_of(mutated(EVENT), values), plain=st.booleans(), stamp=st.sampled_from(["1700000000", "x"])
)
def test_signed_feishu_events(target: Target, event: Any, plain: bool, stamp: str) -> None:
    content = as_json(event)
    body = content if plain else as_json({"encrypt": encrypt(content, KEY)})
    headers = [
        JSON,
        ("X-Lark-Request-Timestamp", stamp.encode()),
        ("X-Lark-Request-Nonce", b"nonce"),
        ("X-Lark-Signature", sign(stamp, "nonce", KEY, body).encode()),
    ]
    target.send("POST", "/feishu/webhook", body, headers, proved=True)


@hostile(0.1)
@given(update=st.one_of(mutated(UPDATE), values))
def test_telegram_updates(target: Target, update: Any) -> None:
    target.send("POST", "/telegram/webhook", as_json(update), [JSON, TELEGRAM_SECRET], proved=True)


@hostile(0.1)
@given(body=st.one_of(bodies, mutated(CALL).map(as_json)), kind=content_types)
def test_api_calls(target: Target, body: bytes, kind: bytes) -> None:
    headers = [("Content-Type", kind), BEARER]
    target.send("POST", "/v1/chat/completions", body, headers, proved=True)


@hostile(0.1)
@given(
    body=st.one_of(
        bodies,
        chats.map(as_json),
    ),
    kind=content_types,
    cookie=cookies,
    inside=st.booleans(),
)
def test_web_chat_messages(target: Target, body: bytes, kind: bytes, cookie: bytes, inside: bool) -> None:
    proof = f"access={target.access}; ".encode() if inside else b""
    headers = [("Content-Type", kind), ("Cookie", proof + cookie)]
    answer = target.send("POST", "/chat/messages", body, headers, proved=inside)
    if not inside:
        target.refuses(answer)


@hostile(0.1)
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "DELETE", "PUT"]),
    start=st.sampled_from(["/", "/static/", "/chat/", "/v1/", "/chat/messages?after=", "/readyz"]),
    rest=st.binary(max_size=40),
    cookie=cookies,
)
def test_addresses(target: Target, method: str, start: str, rest: bytes, cookie: bytes) -> None:
    target.send(method, start + quote_from_bytes(rest, safe="/?&=%.;"), b"", [("Cookie", cookie)])
