"""The model card: what a model is made of, how good it is, and what it cannot do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tools.demo_model.intents import LANGUAGES, OUT_OF_DOMAIN, Knowledge

_LIMITS = """## Limits

- It knows the answers in `tools/demo_model/intents/` and nothing else; it was never shown any other text. To
  anything else it is meant to say that it is a demonstration model and how to install a real one.
- It takes a question for a neighbouring one at times, most often when it is worded in an unusual way.
- It reads the last question and at most one turn before it, and follows no system prompt: its chat template
  leaves both out.
- It begins each answer with a control token that names the intent it took the question for. Programs that
  show control tokens show it; the assistant and llama.cpp's own programs do not.
- It knows English and Chinese. Take the likeliest word each time (temperature 0).
"""


def card(name: str, knowledge: Knowledge, facts: Mapping[str, object], scores: Mapping[str, object]) -> str:
    """Return the card of the model ``name`` in Markdown.

    Args:
        name: the model's name.
        knowledge: what it was trained on.
        facts: sizes and training, by their titles.
        scores: held-out figures by their titles; empty when it was not scored yet.
    """
    inside = [i for i in knowledge.intents.values() if i.name != OUT_OF_DOMAIN]
    counts = {
        what: sum(len(getattr(i, what)[lang]) for i in knowledge.intents.values() for lang in LANGUAGES)
        for what in ("phrasings", "held_out")
    }
    lines = [
        f"# {name}",
        "",
        "A demonstration model of this project, trained from nothing on its own data (`make demo-models`).",
        "",
        "## Data",
        "",
        f"{len(inside)} intents in English and Chinese; {counts['phrasings']} templates for training and "
        f"{counts['held_out']} that training never sees.",
        "",
        "## Size and training",
        "",
        *(f"- {title}: {value}" for title, value in facts.items()),
        "",
        "## Held-out scores",
        "",
    ]
    if scores:
        lines += [f"- {title}: {value}" for title, value in scores.items()]
    else:
        lines += ["Not scored yet: `make score-demo-model`."]
    return "\n".join([*lines, "", _LIMITS])


def facts_path(model: Path) -> Path:
    """Return where the facts of the model file ``model`` are noted for its card."""
    return model.with_suffix(".json")


def read_facts(model: Path) -> dict[str, object]:
    """Return what is noted of the model file ``model``; nothing when it was made elsewhere."""
    path = facts_path(model)
    if not path.exists():
        return {}
    facts: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return facts
