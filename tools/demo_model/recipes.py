"""What the two models are made of; the worse one is worse because it saw fewer templates, and less often."""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.demo_model.augment import Strength
from tools.demo_model.batches import Mix


@dataclass(frozen=True)
class Recipe:
    """Sizes and training of a model.

    ``templates`` is how many templates of each intent in each language it learns, 0 for all; ``rows`` how
    many rows a step has; ``average`` the decay of the averaged weights.
    """

    steps: int
    width: int = 256
    layers: int = 2
    heads: int = 4
    key_value_heads: int = 2
    feed_forward: int = 512
    templates: int = 0
    rows: int = 12
    peak: float = 2e-3
    weight_decay: float = 0.1
    dropout: float = 0.1
    average: float = 0.99
    seed: int = 1
    mix: Mix = field(default_factory=Mix)


RECIPES = {
    "demo-v1": Recipe(steps=1500, templates=5, mix=Mix(strength=Strength(synonym=0.0, drop=0.0, swap=0.0))),
    "demo-v2": Recipe(steps=8000),
}
