"""The keys for text at rest, and the form in which a column holds what they sealed.

A stored text is one of three:

- ``enc1:<key id>:<base64url of nonce and ciphertext>``: sealed with AES-256-GCM (NIST SP 800-38D);
- ``enc1:plain:<text>``: a plain text that happens to begin with ``enc1:``;
- anything else: a plain text as it is.

Why AES-GCM and not Fernet: it takes associated data, so that what was sealed for one column does not open in
another, and the name of the key stands in front, so that SQL finds what a key has sealed without a key.
"""

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET = "database_encryption_key"  # noqa: S105  # the name of its file
MARK = "enc1:"
PLAIN = "plain"
KEY_BYTES = 32
# The length that SP 800-38D recommends; random ones are good for 2^32 texts a key (section 8.3).
NONCE_BYTES = 12
_SEALED = re.compile(rf"{MARK}([0-9a-f]{{8}}):([A-Za-z0-9_-]+=*)")
_EXAMPLE = "example: what `openssl rand -base64 32` prints"


class KeysError(ValueError):
    """The text is no list of keys; the message names the line and never quotes it."""


class UnreadableError(Exception):
    """A stored text cannot be opened: its key is not there, or it is damaged; the message is no secret."""


def key_id(key: bytes) -> str:
    """Return the name of ``key``, 8 hexadecimal digits from which nobody can tell the key."""
    return hashlib.sha256(b"ai-assistant key id" + key).hexdigest()[:8]


def sealed_with(identifier: str) -> str:
    """Return what every text begins with that the key ``identifier`` sealed."""
    return f"{MARK}{identifier}:"


class Keyring:
    """Keys, of which the first seals and all open; without any, texts are kept as they are."""

    def __init__(self, keys: Sequence[bytes] = (), *, write_plain: bool = False) -> None:
        """Take ``keys`` of 32 bytes; with ``write_plain`` they only open, and nothing new is sealed."""
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self.first = "" if write_plain or not keys else key_id(keys[0])

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """Read keys, one a line in base64; ``plain`` as the first line: seal nothing, only open.

        Raises:
            KeysError: a line is no key, or comes twice.
        """
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        write_plain = lines[:1] == [PLAIN]
        keys: list[bytes] = []
        for number, line in enumerate(lines, 1):
            if number == 1 and write_plain:
                continue
            try:
                key = base64.b64decode(line.translate({45: 43, 95: 47}), validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if len(key) != KEY_BYTES:
                raise KeysError(f"line {number} is no key of {KEY_BYTES} bytes in base64 ({_EXAMPLE})")
            if key in keys:
                raise KeysError(f"line {number} is the same key as an earlier line; remove one of them")
            keys.append(key)
        return cls(keys, write_plain=write_plain)

    def __contains__(self, identifier: str) -> bool:
        """Whether the key with this name is there."""
        return identifier in self._ciphers

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The names of all keys, in their order."""
        return tuple(self._ciphers)

    def seal(self, text: str, place: str) -> str:
        """Return ``text`` as it is to be stored in ``place``, a column as ``table.column``.

        An empty text stays empty: there is nothing in it to hide.
        """
        if not self.first or not text:
            return escaped(text) if text.startswith(MARK) else text
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self.first].encrypt(nonce, text.encode(), place.encode())
        return sealed_with(self.first) + base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, stored: str, place: str) -> str:
        """Return the text that is stored in ``place`` as ``stored``.

        Raises:
            UnreadableError: its key is not in the ring, it was sealed for another column, or it is damaged.
        """
        if not stored.startswith(MARK):
            return stored
        if stored.startswith(sealed_with(PLAIN)):
            return stored.removeprefix(sealed_with(PLAIN))
        match = _SEALED.fullmatch(stored)
        if match is None:
            raise UnreadableError(f"a text in {place} is damaged")
        cipher = self._ciphers.get(match[1])
        if cipher is None:
            raise UnreadableError(f"a text in {place} needs the key {match[1]}, which is not in {SECRET}")
        try:
            data = base64.urlsafe_b64decode(match[2])
            return cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, ValueError):
            raise UnreadableError(f"a text in {place} is damaged") from None


def escaped(text: str) -> str:
    """Return the form of a plain ``text`` that cannot be taken for a sealed one."""
    return sealed_with(PLAIN) + text
