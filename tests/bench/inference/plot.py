"""Draw what ``python -m tests.bench.inference`` measured: ``plot.py SAMPLES.json TARGET.png``.

Runs in the environment of requirements/bench.lock, which has matplotlib, and imports nothing of the project.
"""

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

COLOURS = {"assistant": "#1f6feb", "llama_server": "#d29922", "llama_cpp_server": "#8b949e"}
PANELS = (
    ("requests_per_second", "requests a second"),
    ("first_token_p50_seconds", "time to first token, p50, seconds"),
    ("first_token_p99_seconds", "time to first token, p99, seconds"),
)


def draw(samples: list[dict[str, Any]], target: Path) -> None:
    """Draw the medians over the rounds, with all rounds as points, of every model in ``samples``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    models = list(dict.fromkeys(sample["model"] for sample in samples))
    figure, axes = pyplot.subplots(
        len(models), len(PANELS), figsize=(15, 4.2 * len(models)), squeeze=False, constrained_layout=True
    )
    for row, model in zip(axes, models, strict=True):
        for axis, (key, title) in zip(row, PANELS, strict=True):
            _panel(axis, [sample for sample in samples if sample["model"] == model], key)
            axis.set_title(f"{model}: {title}")
    axes[0][0].legend()
    figure.savefig(target, dpi=110)


def _panel(axis: Any, samples: list[dict[str, Any]], key: str) -> None:
    for server, colour in COLOURS.items():
        found: dict[int, list[float]] = defaultdict(list)
        for sample in samples:
            if sample["server"] == server:
                found[sample["callers"]].append(sample[key])
        levels = sorted(found)
        axis.plot(
            levels, [statistics.median(found[n]) for n in levels], color=colour, marker="o", label=server
        )
        for level in levels:
            axis.plot([level] * len(found[level]), found[level], ".", color=colour, alpha=0.4)
    axis.set_xscale("log", base=2)
    levels = sorted({sample["callers"] for sample in samples})
    axis.set_xticks(levels, [str(level) for level in levels])
    axis.set_xlabel("callers at once")
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
