"""Answers in OpenAI's shape, whole and streamed.

Source: platform.openai.com/docs/api-reference/chat/object and .../chat/streaming. A stream is server-sent
events (html.spec.whatwg.org, section 9.2): one ``data:`` line and an empty line each, ``[DONE]`` in the last.
"""

import json
import time
from typing import Any

from assistant.store.outbox import Reply

DONE = "data: [DONE]\n\n"


def error(message: str, kind: str, parameter: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return an error; ``kind`` is its type, ``parameter`` the part of the request that is wrong."""
    return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}


def event(value: dict[str, Any]) -> str:
    """Return ``value`` as a server-sent event."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


class Shapes:
    """The shapes of one answer."""

    def __init__(self, number: str, model: str, *, usage_in_chunks: bool) -> None:
        """Remember the answer's ``number`` and the ``model``'s name.

        ``usage_in_chunks``: each chunk of a stream has a usage, null but in the last one.
        """
        self._head = {"id": f"chatcmpl-{number}", "created": int(time.time()), "model": model}
        self._usage = usage_in_chunks

    def whole(self, reply: Reply) -> dict[str, Any]:
        """Return ``reply`` as one object."""
        message = {"role": "assistant", "content": reply.text}
        choice = {"index": 0, "message": message, "finish_reason": reply.detail["finish_reason"]}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": usage(reply)}

    def beginning(self) -> str:
        """Return the event that opens a stream."""
        return self._chunk({"role": "assistant", "content": ""}, None)

    def piece(self, text: str) -> str:
        """Return the event for a piece of the answer."""
        return self._chunk({"content": text}, None)

    def end(self, reply: Reply) -> str:
        """Return the events that close a stream."""
        text = self._chunk({}, reply.detail["finish_reason"])
        if self._usage:
            text += event(
                {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": usage(reply)}
            )
        return text + DONE

    def _chunk(self, delta: dict[str, str], finish_reason: str | None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        value = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        return event({**value, "usage": None} if self._usage else value)


def usage(reply: Reply) -> dict[str, int]:
    """Return the token counts of ``reply``."""
    prompt, answer = int(reply.detail["prompt_tokens"]), int(reply.detail["completion_tokens"])
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
