"""The access code, and the cookie of whoever knew it."""

import hashlib
import hmac
import secrets
import unicodedata

from itsdangerous import BadSignature, TimestampSigner

from assistant.channels.web_chat.throttle import Throttle
from assistant.web.errors import Refused

ACCESS_COOKIE = "access"
ACCESS_SECONDS = 30 * 24 * 3600
LONGEST_CODE = 200
SALT = b"ai-assistant web chat access"


class Gate:
    """Lets in who knows the code, and for 30 days who did.

    The cookie is a random value and the time, signed with a key that is made from the code: it survives a
    restart, needs no table, and none that was given out before is good once the code has changed. The key
    comes out of scrypt, so that a stolen cookie does not allow guessing the code at any speed.
    """

    def __init__(self, code: str, throttle: Throttle | None = None) -> None:
        """Ask for ``code``; an empty one leaves the gate open."""
        self._code = _digest(code)
        self.open = not code
        self._throttle = throttle or Throttle()
        if code:
            # 16 MiB and some 50 ms, once: https://docs.python.org/3/library/hashlib.html#hashlib.scrypt
            key = hashlib.scrypt(self._code, salt=SALT, n=2**14, r=8, p=1, dklen=32)
            self._signer = TimestampSigner(key, salt=SALT, digest_method=hashlib.sha256)

    def admits(self, cookie: str) -> bool:
        """Whether ``cookie`` came from here, for the present code, in the last 30 days."""
        if self.open:
            return True
        try:
            self._signer.unsign(cookie, max_age=ACCESS_SECONDS)
        except BadSignature:
            return False
        return True

    def enter(self, code: object, address: str) -> str:
        """Return the cookie for somebody who gave ``code`` from ``address``.

        Raises:
            Refused: 400 when it is no text, 403 when it is wrong, 429 when there were too many wrong ones.
        """
        if not isinstance(code, str) or not 0 < len(code) <= LONGEST_CODE:
            raise Refused(400, "invalid_code", f'"code" must be a text of at most {LONGEST_CODE} characters')
        if self.open:
            return ""
        if seconds := self._throttle.take(address):
            raise Refused(429, "too_many_codes", "too many wrong codes; try again later", seconds)
        if not hmac.compare_digest(_digest(code), self._code):
            raise Refused(403, "wrong_code", "the access code is wrong")
        self._throttle.forgive(address)
        return self._signer.sign(secrets.token_urlsafe(16)).decode()


def _digest(code: str) -> bytes:
    """Return a hash of fixed length: a phone may write the same letters in another form."""
    return hashlib.sha256(unicodedata.normalize("NFC", code.strip()).encode("utf-8", "replace")).digest()
