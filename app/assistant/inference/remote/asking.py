"""A request's body, and how much of a conversation goes into it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assistant.inference.backend import Options
from assistant.messages import Turn

STANDARD = Options(max_tokens=1, temperature=0.0, deadline_seconds=1.0)
# What an endpoint may refuse and the request can do without. OpenAI's newest models take only the longer name
# of max_tokens; OpenAI itself refuses vLLM's and llama-server's additions.
OPTIONAL = frozenset(
    {
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "repetition_penalty",
        "repeat_penalty",
        "seed",
        "stop",
        "stream_options",
    }
)
# No tokenizer is at hand. Common ones make about one token of 4 letters and of 1 to 1.5 Chinese characters; a
# chat template adds a few to each turn. This estimate is above them, so that what it lets through fits.
LETTERS_A_TOKEN = 3
TOKENS_A_TURN = 8


@dataclass(frozen=True)
class Conversation:
    """Turns, as long as the estimate of their tokens."""

    turns: Sequence[Turn]

    def __len__(self) -> int:
        """Return the estimate."""
        return sum(estimate(t.content) + TOKENS_A_TURN for t in self.turns)


def estimate(text: str) -> int:
    """Return how many tokens ``text`` has at most, as a rule."""
    ascii_letters = sum(c.isascii() for c in text)
    return -(-ascii_letters // LETTERS_A_TOKEN) + len(text) - ascii_letters


def body(model: str, turns: Sequence[Turn], options: Options, refused: frozenset[str]) -> dict[str, Any]:
    """Return the request's body, without the parameters in ``refused``.

    Of the ways to choose a word only those are named that somebody chose: the endpoint has its own defaults,
    made for its model. llama-server's name for the repetition penalty goes beside vLLM's.
    """
    value: dict[str, Any] = {
        "model": model,
        "messages": [{"role": t.role, "content": t.content} for t in turns],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
    }
    for name in ("top_p", "top_k", "min_p", "repetition_penalty"):
        if getattr(options, name) != getattr(STANDARD, name):
            value[name] = getattr(options, name)
    if "repetition_penalty" in value:
        value["repeat_penalty"] = options.repetition_penalty
    if options.seed is not None:
        value["seed"] = options.seed
    if options.stop:
        value["stop"] = list(options.stop)
    if options.json_object:
        value["response_format"] = {"type": "json_object"}
    if "max_tokens" in refused:
        value["max_completion_tokens"] = options.max_tokens
    return {name: part for name, part in value.items() if name not in refused}
