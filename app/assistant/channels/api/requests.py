"""Reading a chat completion's request.

Source: platform.openai.com/docs/api-reference/chat/create; what one choice of text needs. ``top_k``,
``min_p`` and ``repetition_penalty`` are vLLM's additions (docs.vllm.ai, "Extra Parameters" of the chat API).
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

MAX_MESSAGES = 200
MAX_STOPS = 4
MAX_STOP_CHARACTERS = 128
ROLES = {"system", "developer", "user", "assistant"}
# Numbers: least, most.
RANGES = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "repetition_penalty": (0.1, 2.0),
}


class InvalidRequestError(Exception):
    """The request is wrong; ``parameter`` names the part."""

    def __init__(self, message: str, parameter: str) -> None:
        """Remember ``message`` and ``parameter``."""
        super().__init__(message)
        self.message, self.parameter = message, parameter


@dataclass(frozen=True)
class ChatRequest:
    """A request: the inbox ``payload``, and the form in which the caller wants the answer."""

    payload: dict[str, Any]
    stream: bool
    include_usage: bool


def read_request(body: dict[str, Any]) -> ChatRequest:
    """Return the request in ``body``.

    Raises:
        InvalidRequestError: a part is missing, has the wrong type, or is not supported.
    """
    if body.get("n", 1) != 1:
        raise InvalidRequestError("only one choice is supported; leave n out or set it to 1", "n")
    payload: dict[str, Any] = {"messages": _messages(body.get("messages"))}
    for name in ("max_tokens", "max_completion_tokens"):
        if (limit := _whole(body, name, 1)) is not None:
            payload["max_tokens"] = limit
    for name, (least, most) in RANGES.items():
        if (number := _number(body, name, least, most)) is not None:
            payload[name] = number
    if (top_k := _whole(body, "top_k", -1)) is not None:
        payload["top_k"] = top_k
    if (seed := _whole(body, "seed", -(2**63))) is not None:
        payload["seed"] = seed
    if stops := _stops(body.get("stop")):
        payload["stop"] = stops
    if _json_object(body.get("response_format")):
        payload["json_object"] = True
    if isinstance(user := body.get("user"), str) and user:
        # Only to tell one from another: who it is need not be kept.
        payload["user"] = hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()[:32]
    stream = _switch(body, "stream", "stream")
    options = body.get("stream_options")
    if options is None:
        return ChatRequest(payload, stream, False)
    if not stream or not isinstance(options, dict):
        raise InvalidRequestError("stream_options is an object, and only for stream: true", "stream_options")
    return ChatRequest(payload, stream, _switch(options, "include_usage", "stream_options.include_usage"))


def _switch(body: dict[str, Any], name: str, where: str) -> bool:
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise InvalidRequestError(f"{where} must be true or false", where)


def _whole(body: dict[str, Any], name: str, least: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**63:
        wanted = f"a whole number from {least}" if least > -(2**63) else "a whole number"
        raise InvalidRequestError(f"{name} must be {wanted}", name)
    return value


def _number(body: dict[str, Any], name: str, least: float, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or not least <= value <= most:
        raise InvalidRequestError(f"{name} must be a number from {least:g} to {most:g}", name)
    return float(value)


def _stops(value: object) -> list[str]:
    given = [value] if isinstance(value, str) else value
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > MAX_STOPS:
        raise InvalidRequestError(f"stop must be a text or a list of up to {MAX_STOPS} texts", "stop")
    for text in given:
        if not isinstance(text, str) or not 0 < len(text) <= MAX_STOP_CHARACTERS:
            raise InvalidRequestError(f"a text in stop has 1 to {MAX_STOP_CHARACTERS} characters", "stop")
    # The database keeps neither NUL nor halves of surrogate pairs, and no model writes them.
    return [t for t in given if "\x00" not in t and t.encode("utf-8", "ignore").decode() == t]


def _json_object(value: object) -> bool:
    kind = value.get("type") if isinstance(value, dict) else None
    if value is None or kind == "text":
        return False
    if kind == "json_object":
        return True
    raise InvalidRequestError('response_format.type must be "text" or "json_object"', "response_format")


def _messages(value: object) -> list[dict[str, str]]:
    if not isinstance(value, list) or not value or len(value) > MAX_MESSAGES:
        raise InvalidRequestError(f"messages must be a list of 1 to {MAX_MESSAGES} messages", "messages")
    found = []
    for index, item in enumerate(value):
        where = f"messages[{index}]"
        role = item.get("role") if isinstance(item, dict) else None
        if not isinstance(role, str) or role not in ROLES:
            raise InvalidRequestError(
                f"{where}.role must be one of {', '.join(sorted(ROLES))}", f"{where}.role"
            )
        role = "system" if role in {"system", "developer"} else role
        if role == "system" and index:
            raise InvalidRequestError("only the first message may be a system message", f"{where}.role")
        found.append({"role": role, "content": _content(item.get("content"), where)})
    if found[-1]["role"] != "user" or not found[-1]["content"].strip():
        raise InvalidRequestError("the last message must be a user message that is not empty", "messages")
    return found


def _content(value: object, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(
        isinstance(p, dict) and p.get("type") == "text" and isinstance(p.get("text"), str) for p in value
    ):
        return "".join(p["text"] for p in value)
    raise InvalidRequestError(f"{where}.content must be a text or a list of text parts", f"{where}.content")
