"""What an endpoint's refusals mean: whom they concern, and whether another try can help."""

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

from assistant.inference.backend import InferenceError, Outage, RequestError

# A code or a name of a parameter; longer texts may quote what people wrote, and are not logged.
NAME = re.compile(r"[A-Za-z0-9_.\-\[\]]{1,64}")
# OpenAI: context_length_exceeded; llama-server: exceed_context_size_error; vLLM says it in words only.
OVERFLOW = re.compile(
    r"context[ _](length|size|window)|prompt is too long|too many (input )?tokens|reduce the length", re.I
)
UNSUPPORTED = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|extra|not permitted", re.I
)


class EndpointError(InferenceError):
    """The endpoint failed; counts for the circuit breaker. ``advice`` is for the operator."""

    advice: ClassVar[str] = "look at the model server's own log"


class Unavailable(EndpointError, Outage):
    """It cannot be reached or has no room: worth another try soon, or after ``retry_after`` seconds."""

    advice = "ASSISTANT_BACKEND_URL: check that the model server runs and can be reached from the container"

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        """Remember ``retry_after``, in seconds."""
        super().__init__(reason)
        self.retry_after = retry_after


class RateLimited(Outage):
    """It is well and wants less of us (429); ``retry_after`` in seconds, where it said so."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        """Remember ``retry_after``, in seconds."""
        super().__init__(reason)
        self.retry_after = retry_after


class ConfigurationError(EndpointError, Outage):
    """No request will be answered until the operator changes something."""


class WrongKey(ConfigurationError):
    """401."""

    advice = "backend_api_key: the endpoint does not accept the key; check vault_backend_api_key"


class Forbidden(ConfigurationError):
    """403."""

    advice = (
        "backend_api_key: the key is known but may not use ASSISTANT_BACKEND_MODEL; check its permissions"
    )


class NotFound(ConfigurationError):
    """404: no such address, or no such model."""

    advice = (
        "ASSISTANT_BACKEND_URL or ASSISTANT_BACKEND_MODEL: the endpoint does not know this address or this "
        "model; the address goes up to and including /v1 (example: https://models.example.org/v1)"
    )


class Moved(ConfigurationError):
    """3xx: a redirect is not followed, because the key would go along."""

    advice = "ASSISTANT_BACKEND_URL: the endpoint redirects; set the address that it redirects to"


class OutOfCredit(ConfigurationError):
    """402, or 429 with OpenAI's ``insufficient_quota``."""

    advice = "backend_api_key: the account that the key belongs to has no credit left"


class NoModel(ConfigurationError):
    """No model is named, and the endpoint lists none."""

    advice = "ASSISTANT_BACKEND_MODEL: the endpoint lists no models; name one (example: qwen2.5-7b-instruct)"


class Refused(RequestError):
    """400, 413, 422: this request is wrong for the endpoint; it itself is well."""


class ContextOverflow(Refused):
    """The conversation and the answer are too long for the endpoint's context."""


class UnsupportedParameter(Refused):
    """The endpoint does not take ``parameter``, which is not essential."""

    def __init__(self, reason: str, parameter: str) -> None:
        """Remember ``parameter``."""
        super().__init__(reason)
        self.parameter = parameter


PERMANENT: dict[int, type[ConfigurationError]] = {
    401: WrongKey,
    402: OutOfCredit,
    403: Forbidden,
    404: NotFound,
    405: NotFound,
}


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Return what Retry-After says, in seconds, or None (RFC 9110, section 10.2.3: seconds or a date)."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def error_part(value: object) -> dict[str, Any]:
    """Return the error in an endpoint's answer: its ``error`` object, or all of it where it has none."""
    found = value.get("error", value) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {"message": str(found or "")}


def refusal(status: int, headers: Mapping[str, str], body: bytes, optional: frozenset[str]) -> InferenceError:
    """Return the error that an answer other than 200 stands for.

    Args:
        status: the HTTP status.
        headers: the answer's headers, names in lower case.
        body: the answer's body, or its beginning.
        optional: the parameters that a request can do without.
    """
    try:
        said = error_part(json.loads(body))
    except ValueError:
        said = {"message": body.decode("utf-8", "replace")}
    code, kind, parameter = (_name(said.get(key)) for key in ("code", "type", "param"))
    reason = " ".join(filter(None, [f"HTTP {status}", kind, code]))
    if code == "insufficient_quota":
        return OutOfCredit(reason)
    if status == 429:
        return RateLimited(reason, seconds_to_wait(headers))
    if status in {502, 503, 504}:
        return Unavailable(reason, seconds_to_wait(headers))
    if 300 <= status < 400:
        return Moved(reason)
    # llama-server has sent 500 with its type for a full context, too.
    if status in {400, 413, 422} or kind == "exceed_context_size_error":
        if OVERFLOW.search(f"{code} {kind} {said.get('message')}"):
            return ContextOverflow(reason)
        if (unwanted := _unwanted(parameter, body, optional)) is not None:
            return UnsupportedParameter(f"{reason} {unwanted}", unwanted)
        return Refused(f"{reason} {parameter}".strip())
    return PERMANENT.get(status, EndpointError)(reason)


def _unwanted(parameter: str, body: bytes, optional: frozenset[str]) -> str | None:
    """Return the optional parameter that a refusal is about; OpenAI names some in its message alone."""
    text = body.decode("utf-8", "replace")
    if not UNSUPPORTED.search(text):
        return None
    named = (name for name in sorted(optional) if re.search(rf"\b{name}\b", text))
    return parameter if parameter in optional else next(named, None)


def _name(value: object) -> str:
    text = "" if value is None else str(value)
    return text if NAME.fullmatch(text) else ""
