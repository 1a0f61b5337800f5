"""What a request's body must be before anybody looks into it."""

import json
from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from assistant.web.errors import Refused


def _no_constant(_name: str) -> None:
    raise ValueError


def _too_large() -> Refused:
    return Refused(413, "too_large", "the body is larger than ASSISTANT_MAX_BODY_BYTES allows")


def json_object() -> tuple[dict[str, Any], bytes]:
    """Return the body as a JSON object, and as it came.

    Raises:
        Refused: 415 when it is not declared as JSON, 413 when it is too large, 400 when it is no JSON object.
    """
    if request.mimetype != "application/json":
        raise Refused(415, "unsupported_media_type", "Content-Type must be application/json")
    limit = request.max_content_length
    try:
        raw = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise _too_large() from None
    # Of a body that does not announce its length, Werkzeug returns the first part instead of refusing it.
    if request.content_length is None and limit is not None and len(raw) >= limit:
        raise _too_large()
    try:
        value = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(400, "invalid_json", "the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "invalid_json", "the body must be a JSON object")
    return value, raw
