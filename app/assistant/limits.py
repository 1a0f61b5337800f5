"""How one answer is made: as its caller asks, within what the operator allows."""

from collections.abc import Mapping
from typing import Any

from assistant.inference.backend import Options


def options_of(payload: Mapping[str, Any], standard: Options) -> Options:
    """Return the options of a message with this ``payload``; ``standard`` are the operator's."""
    return Options(
        max_tokens=min(int(payload.get("max_tokens") or standard.max_tokens), standard.max_tokens),
        temperature=float(payload.get("temperature", standard.temperature)),
        deadline_seconds=standard.deadline_seconds,
        top_k=int(payload.get("top_k", standard.top_k)),
        top_p=float(payload.get("top_p", standard.top_p)),
        min_p=float(payload.get("min_p", standard.min_p)),
        repetition_penalty=float(payload.get("repetition_penalty", standard.repetition_penalty)),
        seed=payload.get("seed"),
        stop=tuple(payload.get("stop", ())),
        json_object=bool(payload.get("json_object")),
    )
