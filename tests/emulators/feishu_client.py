"""Acts as the Feishu platform towards the assistant: builds, encrypts, signs and posts events.

Sources (under https://open.feishu.cn/document): event-subscription-guide/event-subscriptions/
event-subscription-configure-/encrypt-key-encryption-configuration-case for encryption and signature,
server-docs/im-v1/message/events/receive for the event. ``hmac_sign`` is not Feishu's but a gateway's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import ssl
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

PATH = "/feishu/webhook"
CLICK_SECONDS = 3.0
CONTENT_TYPE = "application/json; charset=utf-8"
Scheme = Literal["feishu", "hmac-sha256"]
_BLOCK_BYTES = 16


@dataclass(frozen=True)
class FeishuUser:
    """Somebody who writes to the assistant in a chat of two, or in a group if ``chat_type`` is ``group``."""

    open_id: str = field(default_factory=lambda: f"ou_{uuid.uuid4().hex}")
    chat_id: str = field(default_factory=lambda: f"oc_{uuid.uuid4().hex}")
    chat_type: str = "p2p"


def new_message_id() -> str:
    """Make a message id of the platform's form."""
    return f"om_{uuid.uuid4().hex}"


def message_event(
    text: str,
    *,
    app_id: str,
    verification_token: str,
    user: FeishuUser,
    message_id: str | None = None,
    event_id: str | None = None,
    **fields: object,
) -> dict[str, Any]:
    """Build an ``im.message.receive_v1`` event, schema 2.0, for a text message.

    Args:
        text: what the user writes.
        app_id: the app that receives it.
        verification_token: goes into ``header.token``.
        user: who writes, and where.
        message_id: ``om_...``; a new one if left out.
        event_id: a new one if left out.
        fields: of the event's ``message``, in the place of or beside those of a text message: ``mentions``,
            ``thread_id``, ``root_id``, or what ``rich_text`` and ``media`` give.

    Returns:
        the event.
    """
    now = str(int(time.time() * 1000))
    tenant = "736588c9260f175e"
    return {
        "schema": "2.0",
        "header": {
            "event_id": event_id or uuid.uuid4().hex,
            "event_type": "im.message.receive_v1",
            "create_time": now,
            "token": verification_token,
            "app_id": app_id,
            "tenant_key": tenant,
        },
        "event": {
            "sender": {
                "sender_id": {
                    "union_id": f"on_{user.open_id[3:]}",
                    "user_id": user.open_id[3:11],
                    "open_id": user.open_id,
                },
                "sender_type": "user",
                "tenant_key": tenant,
            },
            "message": {
                "message_id": message_id or new_message_id(),
                "create_time": now,
                "update_time": now,
                "chat_id": user.chat_id,
                "chat_type": user.chat_type,
                "message_type": "text",
                "content": json.dumps({"text": text}, ensure_ascii=False),
                **fields,
            },
        },
    }


def rich_text(rows: list[list[dict[str, object]]], title: str = "") -> dict[str, object]:
    """Give the fields of a message of rich text.

    Args:
        rows: the paragraphs, each a list of elements with ``tag``.
        title: the title.
    """
    content = {"title": title, "content": rows}
    return {"message_type": "post", "content": json.dumps(content, ensure_ascii=False)}


def media(kind: str) -> dict[str, object]:
    """Give the fields of a message without words: image, file, audio, media (a video), or sticker."""
    contents: dict[str, dict[str, object]] = {
        "image": {"image_key": "img_v2_1"},
        "file": {"file_key": "file_v2_1", "file_name": "a.txt"},
        "audio": {"file_key": "file_v2_1", "duration": 2000},
        "media": {"file_key": "file_v2_1", "image_key": "img_v2_1", "file_name": "a.mp4", "duration": 2000},
        "sticker": {"file_key": "file_v2_1"},
    }
    return {"message_type": kind, "content": json.dumps(contents[kind])}


def mention(open_id: str, name: str, number: int = 1) -> dict[str, object]:
    """Give an entry of a message's ``mentions``; it stands in the text as ``@_user_1``, ``@_user_2`` ..."""
    return {"key": f"@_user_{number}", "id": {"open_id": open_id}, "name": name}


def card_action_event(
    value: object, *, app_id: str, verification_token: str, user: FeishuUser, message_id: str = "om_card"
) -> dict[str, Any]:
    """Build the ``card.action.trigger`` callback of a click on a button.

    Args:
        value: what the button sends back (``buttons`` in the emulator's ``/_sent``).
        app_id: the app that receives it.
        verification_token: goes into ``header.token``.
        user: who clicks, and where.
        message_id: of the card.
    """
    return {
        "schema": "2.0",
        "header": {
            "event_id": uuid.uuid4().hex,
            "token": verification_token,
            "create_time": str(int(time.time() * 1_000_000)),
            "event_type": "card.action.trigger",
            "tenant_key": "736588c9260f175e",
            "app_id": app_id,
        },
        "event": {
            "operator": {"tenant_key": "736588c9260f175e", "open_id": user.open_id},
            "token": f"c-{uuid.uuid4().hex}",
            "action": {"value": value, "tag": "button"},
            "host": "im_message",
            "context": {"open_message_id": message_id, "open_chat_id": user.chat_id},
        },
    }


def url_verification(verification_token: str, challenge: str) -> dict[str, object]:
    """Build the request by which the platform checks a webhook's address."""
    return {"challenge": challenge, "token": verification_token, "type": "url_verification"}


def encrypt(plain: bytes, encrypt_key: str, iv: bytes | None = None) -> str:
    """Encrypt a body: AES-256-CBC with PKCS#7, key SHA-256 of the Encrypt Key, Base64 of IV and ciphertext.

    Args:
        plain: the event as JSON.
        encrypt_key: the app's Encrypt Key.
        iv: 16 bytes; random if left out.

    Returns:
        the value of ``encrypt``.
    """
    iv = iv or os.urandom(_BLOCK_BYTES)
    padder = PKCS7(_BLOCK_BYTES * 8).padder()
    padded = padder.update(plain) + padder.finalize()
    key = hashlib.sha256(encrypt_key.encode()).digest()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return base64.b64encode(iv + encryptor.update(padded) + encryptor.finalize()).decode()


def sign(timestamp: str, nonce: str, encrypt_key: str, body: bytes) -> str:
    """Give the value of ``X-Lark-Signature``: hexadecimal SHA-256 of the parts, joined.

    Args:
        timestamp: seconds since 1970, as in ``X-Lark-Request-Timestamp``.
        nonce: as in ``X-Lark-Request-Nonce``.
        encrypt_key: the app's Encrypt Key.
        body: the body as it is sent.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256(f"{timestamp}{nonce}{encrypt_key}".encode() + body).hexdigest()


def hmac_sign(timestamp: str, encrypt_key: str, body: bytes) -> str:
    """Give a gateway's ``X-Lark-Signature``: base64 of HMAC-SHA256 over timestamp and body.

    Args:
        timestamp: seconds since 1970, as in ``X-Lark-Request-Timestamp``.
        encrypt_key: the app's Encrypt Key, which is the key.
        body: the body as it is sent.
    """
    made = hmac.new(encrypt_key.encode(), timestamp.encode() + body, hashlib.sha256)
    return base64.b64encode(made.digest()).decode()


def sealed(
    event: dict[str, object],
    encrypt_key: str,
    *,
    scheme: Scheme = "feishu",
    encrypted: bool = True,
    timestamp: str | None = None,
) -> tuple[bytes, dict[str, str]]:
    """Encrypt and sign an event.

    Args:
        event: the event.
        encrypt_key: the app's Encrypt Key.
        scheme: who signs: the platform, or a gateway.
        encrypted: False leaves the body plain, as a gateway may.
        timestamp: seconds since 1970; now if left out.

    Returns:
        body and headers of the request.
    """
    body = _compact(event)
    if encrypted:
        body = _compact({"encrypt": encrypt(body, encrypt_key)})
    timestamp = timestamp or str(int(time.time()))
    headers = {"Content-Type": CONTENT_TYPE, "X-Lark-Request-Timestamp": timestamp}
    if scheme == "hmac-sha256":
        return body, {**headers, "X-Lark-Signature": hmac_sign(timestamp, encrypt_key, body)}
    nonce = secrets.token_hex(8)
    signature = sign(timestamp, nonce, encrypt_key, body)
    return body, {**headers, "X-Lark-Request-Nonce": nonce, "X-Lark-Signature": signature}


def plain(event: dict[str, object]) -> tuple[bytes, dict[str, str]]:
    """Give body and headers of an event for an app without an Encrypt Key: neither encrypted nor signed."""
    return _compact(event), {"Content-Type": CONTENT_TYPE}


def _compact(value: dict[str, object]) -> bytes:
    # Without spaces, as the platform writes: its SDK for Node.js checks the signature of what it writes anew.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def post_event(
    https_url: str,
    event: dict[str, object],
    encrypt_key: str,
    *,
    verify: ssl.SSLContext | bool = True,
    timeout: float = 10.0,
) -> httpx.Response:
    """Post an event to the assistant.

    Args:
        https_url: address of the assistant, without the path.
        event: the event.
        encrypt_key: the app's Encrypt Key.
        verify: the trusted certificates.
        timeout: seconds.

    Returns:
        the assistant's answer.

    Raises:
        httpx.HTTPError: when there is none.
    """
    body, headers = sealed(event, encrypt_key)
    # trust_env: the machine is reached directly, whatever proxy the environment names.
    with httpx.Client(verify=verify, timeout=timeout, trust_env=False) as client:
        return client.post(https_url.rstrip("/") + PATH, content=body, headers=headers)


def post_card_action(
    https_url: str,
    value: object,
    encrypt_key: str,
    *,
    app_id: str,
    verification_token: str,
    user: FeishuUser,
    verify: ssl.SSLContext | bool = True,
) -> dict[str, Any]:
    """Click on a button of a card.

    Args:
        https_url: address of the assistant, without the path.
        value: what the button sends back.
        encrypt_key: the app's Encrypt Key.
        app_id: the app that receives it.
        verification_token: the app's Verification Token.
        user: who clicks, and where.
        verify: the trusted certificates.

    Returns:
        the notice that the person gets.

    Raises:
        httpx.HTTPError: when there is no answer within the platform's 3 seconds, or not 200.
    """
    event = card_action_event(value, app_id=app_id, verification_token=verification_token, user=user)
    answer = post_event(https_url, event, encrypt_key, verify=verify, timeout=CLICK_SECONDS)
    answer.raise_for_status()
    return dict(answer.json()["toast"])
