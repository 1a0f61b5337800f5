"""An endpoint's answer: its chunks, and the text that they make."""

import codecs
import json
from dataclasses import dataclass
from typing import Any

from assistant.inference.backend import Caller, Completion, Options
from assistant.inference.remote.asking import Conversation, estimate
from assistant.inference.remote.errors import EndpointError, error_part
from assistant.inference.text_stream import TextStream

END = "[DONE]"


@dataclass(frozen=True)
class Chunk:
    """What one event says; ``usage`` is the tokens of prompt and answer."""

    text: str = ""
    finish_reason: str = ""
    usage: tuple[int, int] | None = None


def read_chunk(data: str) -> Chunk:
    """Return the chunk in an event's ``data``.

    Source: platform.openai.com/docs/api-reference/chat/streaming. Only the first choice's text is looked at;
    what a model thinks (``reasoning_content``) is not part of its answer.

    Raises:
        EndpointError: it is an error, or not a chunk.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise EndpointError("an event of the answer is not JSON") from None
    if not isinstance(value, dict) or value.get("error"):
        kind = error_part(value).get("type")
        raise EndpointError(f"the endpoint reports an error in its answer ({str(kind)[:64]})")
    choice = _first(value.get("choices"))
    delta = choice.get("delta")
    text = delta.get("content") if isinstance(delta, dict) else None
    reason = choice.get("finish_reason")
    return Chunk(
        text if isinstance(text, str) else "",
        reason if isinstance(reason, str) else "",
        _usage(value.get("usage")),
    )


def _first(choices: object) -> dict[str, Any]:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _usage(value: object) -> tuple[int, int] | None:
    if not isinstance(value, dict):
        return None
    prompt, answer = value.get("prompt_tokens"), value.get("completion_tokens")
    return (prompt, answer) if isinstance(prompt, int) and isinstance(answer, int) else None


class Answer:
    """The answer to one request, while it comes."""

    def __init__(self, caller: Caller, options: Options) -> None:
        """Begin with nothing said."""
        self._caller = caller
        self._stops = options.stop
        # Whether the request left the queue; whether the caller has been given text.
        self.begun = self.spoken = False
        self.begin(Conversation([]))

    def begin(self, prompt: Conversation) -> None:
        """Begin a try with ``prompt``."""
        self._prompt = prompt
        # JSON may carry a character beyond U+FFFF as two halves, and a server may put them into two chunks.
        self._halves = codecs.getincrementaldecoder("utf-16-le")("replace")
        self._stream = TextStream(self._stops)
        self._usage: tuple[int, int] | None = None
        self.finish_reason = ""

    @property
    def stopped(self) -> bool:
        """Whether a stop text ended it, which the endpoint need not have heeded."""
        return self._stream.stopped

    def take(self, chunk: Chunk) -> None:
        """Hand on what ``chunk`` adds."""
        # No database keeps NUL.
        text = self._halves.decode(chunk.text.encode("utf-16-le", "surrogatepass")).replace("\x00", "")
        self._say(self._stream.push(text.encode()))
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self._usage = chunk.usage or self._usage

    def completion(self, reason: str = "") -> Completion:
        """End the answer. Where the endpoint counted no tokens, the counts are estimates."""
        if not self._stream.stopped:
            self._say(self._stream.finish())
        text = self._stream.text
        counts = self._usage or (len(self._prompt), estimate(text))
        reason = reason or ("length" if self.finish_reason == "length" else "stop")
        return Completion(text, *counts, reason)

    def _say(self, text: str) -> None:
        if text:
            self.spoken = True
            self._caller.on_text(text)
