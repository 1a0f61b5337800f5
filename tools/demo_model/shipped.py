"""Where the demonstration models lie, and their cards beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tools.controller.cache import BUILD
from tools.controller.model import SHIPPED
from tools.demo_model.card import card, read_facts
from tools.demo_model.intents import Knowledge

NAMES = ("demo-v1", "demo-v2")


def shipped(name: str) -> Path:
    """Return the 4-bit file of the model ``name``, a part of the repository."""
    return SHIPPED / f"{name}.gguf"


def sixteen_bits(name: str) -> Path:
    """Return where training leaves the 16-bit form of a model."""
    return BUILD / "demo_model" / f"{name}-f16.gguf"


def write_card(name: str, knowledge: Knowledge, scores: Mapping[str, object]) -> None:
    """Write the card of the model ``name`` beside it; see ``card``."""
    facts = read_facts(sixteen_bits(name))
    facts["bytes at 4 bits"] = shipped(name).stat().st_size
    path = SHIPPED / f"{name}.md"
    path.write_text(card(name, knowledge, facts, scores), encoding="utf-8")
    print(path)
