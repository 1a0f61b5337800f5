"""The demonstration models' question set: questions with their reference answers."""

from __future__ import annotations

import json
from pathlib import Path

from tools.controller.cache import ROOT
from tools.demo_model.intents import LANGUAGES, OUT_OF_DOMAIN, Knowledge, expand

PATH = ROOT / "files" / "questions" / "demo.jsonl"
# Of anything else there are many held-out templates, and one answer.
OUTSIDE = 20


def question_set(knowledge: Knowledge) -> str:
    """Return JSON Lines: ``id``, ``language``, ``messages`` (OpenAI's form) and the ``reference`` answer.

    Each intent is asked in each language by the first of its held-out templates; a next turn comes after the
    turns before it.
    """
    lines = []
    for intent in knowledge.intents.values():
        for language in LANGUAGES:
            earlier = knowledge.before(intent, language)
            before = list(zip(("user", "assistant"), earlier, strict=True)) if earlier else []
            count = OUTSIDE if intent.name == OUT_OF_DOMAIN else 1
            for number, template in enumerate(intent.held_out[language][:count], 1):
                turns = [*before, ("user", next(expand(template)))]
                document = {
                    "id": f"{intent.name}-{number}-{language}" if count > 1 else f"{intent.name}-{language}",
                    "language": language,
                    "messages": [{"role": role, "content": text} for role, text in turns],
                    "reference": intent.answers[language],
                }
                lines.append(json.dumps(document, ensure_ascii=False))
    return "\n".join([*lines, ""])


def write_question_set(knowledge: Knowledge, path: Path = PATH) -> None:
    """Write the question set; it is a part of the repository.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(question_set(knowledge), encoding="utf-8")
