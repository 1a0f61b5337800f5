"""``python -m tools.demo_model.make NAME OUT.gguf``: train one model; runs in the training environment."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

# One thread makes examples beside the network's two.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from tools.demo_model.card import facts_path
from tools.demo_model.export import write_f16
from tools.demo_model.intents import FOLDER, DataError, load
from tools.demo_model.recipes import RECIPES
from tools.demo_model.train import train

DESCRIPTION = "A demonstration model: it answers questions about this assistant and nothing else."
MINUTES = 45.0


def main(arguments: list[str] | None = None) -> int:
    """Train and write; 1 with the reason when the data is wrong or the file cannot be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("out", type=Path, metavar="OUT.gguf")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="the longest it may take (45)")
    parser.add_argument("--data", type=Path, default=FOLDER, help="folder of intents/ and out_of_domain.yml")
    parser.add_argument(
        "--hold-back", action="store_true", help="measure on the way with templates kept back"
    )
    options = parser.parse_args(arguments)
    if not 0 < options.minutes <= MINUTES:
        parser.error(f"--minutes is {options.minutes:g}, it must be above 0 and at most {MINUTES:g}")
    recipe = RECIPES[options.name]
    try:
        knowledge = load(options.data)
        done = train(
            knowledge,
            recipe,
            minutes=options.minutes,
            hold_back=options.hold_back,
            say=lambda line: print(f"{options.name}: {line}", flush=True),
        )
        write_f16(options.out, options.name, done.shape, done.weights, done.words, DESCRIPTION)
        shape = done.shape
        facts = {
            "weights": sum(int(weight.size) for weight in done.weights.values()),
            "layers": shape.layers,
            "width": shape.width,
            "vocabulary": shape.vocabulary,
            "templates learned of each intent": recipe.templates or "all",
            "steps": done.steps,
            "minutes": round(done.seconds / 60, 1),
            "seed": recipe.seed,
        }
        facts_path(options.out).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    except (DataError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.out}: {options.out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
