"""One id for one message, from the request that brought it to the reply: ``trace.id`` in the log.

nginx makes it (``$request_id``: 16 random bytes in hexadecimal,
nginx.org/en/docs/http/ngx_http_core_module.html) and passes it on in ``X-Request-ID``; where no proxy stands
in front (polling, a long connection) it is made here. It is random, and says nothing of who wrote.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = "X-Request-ID"
# How many characters people are shown: enough to find the rest by.
SHORT = 8
_FORM = re.compile(r"[0-9a-f]{32}")
_current: ContextVar[str] = ContextVar("trace_id", default="")


def new_id() -> str:
    """Return a fresh id of 32 hexadecimal digits."""
    return secrets.token_hex(16)


def is_id(value: str) -> bool:
    """Whether ``value`` is an id and nothing more."""
    return _FORM.fullmatch(value) is not None


def current() -> str:
    """Return the id of what this thread is doing, or an empty text."""
    return _current.get()


def begin(trace_id: str) -> None:
    """From here on this thread works for ``trace_id``, until it begins something else."""
    _current.set(trace_id)


@contextmanager
def following(trace_id: str) -> Iterator[str]:
    """Work for ``trace_id`` during the block, and for what it was before afterwards."""
    token = _current.set(trace_id)
    try:
        yield trace_id
    finally:
        _current.reset(token)
