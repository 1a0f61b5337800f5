"""Feishu's event encryption and signature.

Source: open.feishu.cn, "Configure the Encrypt Key": the key is SHA-256 of the Encrypt Key, the cipher
AES-256-CBC, the first 16 bytes are the initialisation vector, the padding is PKCS#7. The signature is the
hexadecimal SHA-256 of timestamp, nonce, Encrypt Key and the body as it was received.

``hmac_signature`` is not Feishu's: some API gateways that stand between Feishu and a service take Feishu's
signature off and put their own on.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

BLOCK_BYTES = 16


class UndecipherableError(Exception):
    """The text is not what somebody who knows the Encrypt Key would have sent."""


def signature(timestamp: str, nonce: str, encrypt_key: str, body: bytes) -> str:
    """Return the signature that belongs to ``body``."""
    return hashlib.sha256((timestamp + nonce + encrypt_key).encode() + body).hexdigest()


def hmac_signature(timestamp: str, encrypt_key: str, body: bytes) -> str:
    """Return the signature of a gateway: base64 of HMAC-SHA256 over timestamp and ``body``.

    The key is the Encrypt Key. Feishu's custom bots sign in another way again (timestamp and secret are the
    key, the message is empty), which has no body in it and is for sending to them.
    """
    digest = hmac.digest(encrypt_key.encode(), timestamp.encode() + body, "sha256")
    return base64.b64encode(digest).decode()


def signature_is_valid(given: str, timestamp: str, nonce: str, encrypt_key: str, body: bytes) -> bool:
    """Return whether ``given`` is Feishu's signature of ``body``, in constant time."""
    if not (given and timestamp and nonce and encrypt_key):
        return False
    return hmac.compare_digest(given.encode(), signature(timestamp, nonce, encrypt_key, body).encode())


def hmac_signature_is_valid(given: str, timestamp: str, encrypt_key: str, body: bytes) -> bool:
    """Return whether ``given`` is a gateway's signature of ``body``, in constant time."""
    if not (given and timestamp and encrypt_key):
        return False
    return hmac.compare_digest(given.encode(), hmac_signature(timestamp, encrypt_key, body).encode())


def decrypt(encrypted: str, encrypt_key: str) -> dict[str, Any]:
    """Return the JSON object inside ``encrypted`` (base64).

    Raises:
        UndecipherableError: it was made with another key, or was damaged.
    """
    try:
        data = base64.b64decode(encrypted, validate=True)
    except (binascii.Error, ValueError):
        raise UndecipherableError from None
    if len(data) < 2 * BLOCK_BYTES or len(data) % BLOCK_BYTES:
        raise UndecipherableError
    key = hashlib.sha256(encrypt_key.encode()).digest()
    decryptor = Cipher(algorithms.AES(key), modes.CBC(data[:BLOCK_BYTES])).decryptor()
    padded = decryptor.update(data[BLOCK_BYTES:]) + decryptor.finalize()
    unpadder = PKCS7(BLOCK_BYTES * 8).unpadder()
    try:
        plain = unpadder.update(padded) + unpadder.finalize()
        value = json.loads(plain)
    except (ValueError, RecursionError):
        raise UndecipherableError from None
    if not isinstance(value, dict):
        raise UndecipherableError
    return value
