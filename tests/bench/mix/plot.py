"""Draw what ``python -m tests.bench.mix`` measured: ``plot.py SAMPLES.json TARGET.png``.

Runs in the environment of requirements/bench.lock, which has matplotlib, and imports nothing of the project.
"""

import json
import sys
from pathlib import Path
from typing import Any

COLOURS = {"cached_ms": "#1f6feb", "other_ms": "#d29922"}
NAMES = {"cached_ms": "out of the cache", "other_ms": "by the model"}
STYLES = {50: ":", 95: "--", 99: "-"}
BAR_MS = 500


def draw(samples: list[dict[str, Any]], target: Path) -> None:
    """Draw warm and cold steps side by side: latencies above, what was answered below."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    states = [warm for warm in (True, False) if any(sample["warm"] is warm for sample in samples)]
    figure, axes = pyplot.subplots(
        2, len(states), figsize=(7.5 * len(states), 8.4), squeeze=False, sharey="row", constrained_layout=True
    )
    for column, warm in enumerate(states):
        mine = [sample for sample in samples if sample["warm"] is warm]
        _latencies(axes[0][column], mine)
        _answers(axes[1][column], mine)
        axes[0][column].set_title("warm cache" if warm else "cold cache: empty at the beginning of each step")
    # Below the picture: the lines are everywhere in it.
    handles, labels = axes[0][0].get_legend_handles_labels()
    more, names = axes[1][0].get_legend_handles_labels()
    figure.legend(handles + more, labels + names, loc="outside lower center", ncols=5, fontsize=8)
    figure.savefig(target, dpi=110)


def _latencies(axis: Any, samples: list[dict[str, Any]]) -> None:
    for key, colour in COLOURS.items():
        for percent, style in STYLES.items():
            found = [(s["rate"], percentile(s[key], percent)) for s in samples if s[key]]
            if found:
                label = f"{NAMES[key]}, p{percent}"
                axis.plot(*zip(*found, strict=True), style, color=colour, marker="o", ms=3, label=label)
    axis.axhline(BAR_MS, color="#cf222e", lw=1, alpha=0.6, label=f"{BAR_MS} ms")
    axis.set_yscale("log")
    axis.set_ylabel("from when it was due until its answer, ms")
    _rates(axis, samples)


def _answers(axis: Any, samples: list[dict[str, Any]]) -> None:
    rates = [sample["rate"] for sample in samples]
    axis.plot(rates, rates, color="#8b949e", lw=1, label="as many as arrive")
    answered = [sample["answered_per_second"] for sample in samples]
    axis.plot(rates, answered, color="#1a7f37", marker="o", label="answered while the step lasts")
    for sample in samples:
        failed = 100 * sum(sample["failed"].values()) / sample["arrivals"]
        text = f"{sample['cached_share']:.0%}" + (f"\n{failed:.0f}% failed" if failed else "")
        place = (sample["rate"], sample["answered_per_second"])
        axis.annotate(text, place, fontsize=7, ha="center", xytext=(0, -18), textcoords="offset points")
    axis.set_yscale("log")
    axis.margins(y=0.2)
    axis.set_ylabel("answers a second (beside the points: share from the cache)")
    _rates(axis, samples)


def _rates(axis: Any, samples: list[dict[str, Any]]) -> None:
    rates = [sample["rate"] for sample in samples]
    axis.set_xscale("log")
    axis.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axis.minorticks_off()
    axis.set_xlabel("questions that arrive a second")
    axis.grid(alpha=0.3)


def percentile(values: list[float], percent: float) -> float:
    """Return the nearest-rank percentile, a value that was measured."""
    ordered = sorted(values)
    return ordered[max(1, -(-len(ordered) * percent // 100).__int__()) - 1]


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
