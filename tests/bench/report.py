"""Writes a benchmark's figures the way every benchmark of this project does."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

Figure = int | float | str | bool
FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench"


def write_report(
    name: str,
    figures: Mapping[str, Figure],
    samples: Mapping[str, Sequence[object]] | Sequence[object],
    *,
    folder: Path = FOLDER,
) -> Path:
    """Write ``<name>.json`` and, beside it, ``<name>.samples.json``; print the figures as a table.

    Args:
        name: the benchmark's name: letters, digits, ``-`` and ``_``.
        figures: one flat object of named figures; put the unit into the name, as in ``first_token_ms``.
        samples: the raw measurements that the figures were made from.
        folder: where to write; ``build/bench`` of the repository if left out.

    Returns:
        the path of the figures.

    Raises:
        ValueError: when the name or a figure is of no valid form.
    """
    if not name or not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"the name {name!r} must be of letters, digits, - and _, for example chat_latency")
    for key, figure in figures.items():
        if not isinstance(figure, int | float | str):
            raise ValueError(f"figure {key} of {name} is {figure!r}; only numbers, texts and booleans fit")
        if isinstance(figure, float) and not math.isfinite(figure):
            raise ValueError(f"figure {key} of {name} is {figure}; leave it out when nothing was measured")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    for target, document in ((path, dict(figures)), (folder / f"{name}.samples.json", samples)):
        text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
        target.write_text(text + "\n", encoding="utf-8")
    print(table(name, figures))
    return path


def table(name: str, figures: Mapping[str, Figure]) -> str:
    """Lay figures out as a table of two columns.

    Args:
        name: the heading.
        figures: the figures.

    Returns:
        lines without a final line feed.
    """
    rows = [(key, f"{cell:.3f}" if isinstance(cell, float) else str(cell)) for key, cell in figures.items()]
    left = max([len(key) for key, _ in rows], default=0)
    right = max([len(text) for _, text in rows], default=0)
    return "\n".join([name, *(f"  {key:<{left}}  {text:>{right}}" for key, text in rows)])
