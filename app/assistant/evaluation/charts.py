"""Charts as SVG, written into the page: no program draws them and nothing is fetched."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

WIDTH, LEFT, RIGHT = 640, 170, 70
ROW = 26
HEIGHT, TOP, BOTTOM = 200, 14, 28
SERIES = ("one", "two")


def _svg(height: float, parts: Sequence[str], title: str) -> Markup:
    body = "".join(parts)
    # Every text in the parts is escaped where it is put in.
    return Markup(  # noqa: S704
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">{body}</svg>'
    )


def _text(x: float, y: float, text: object, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:23] + "…"


def intervals(rows: Sequence[tuple[str, Mapping[str, float]]], most: float, factor: float) -> Markup:
    """Return a dot with its interval for each of ``rows`` on an axis from 0 to ``most``.

    Args:
        rows: name, and ``value``, ``low`` and ``high``.
        most: the axis's end.
        factor: what values are multiplied by in texts.
    """
    parts, inner = [], WIDTH - LEFT - RIGHT
    for n, (name, interval) in enumerate(rows):
        y = TOP + ROW * n
        value, low, high = (LEFT + inner * interval[end] / most for end in ("value", "low", "high"))
        parts += [
            _text(LEFT - 10, y + 4, _short(name), "end"),
            f'<line class="{SERIES[n]}" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>',
            f'<circle class="{SERIES[n]}" cx="{value:.1f}" cy="{y}" r="5"/>',
            _text(WIDTH - RIGHT + 10, y + 4, f"{interval['value'] * factor:.1f}"),
        ]
    bottom = TOP + ROW * len(rows)
    for tick in range(5):
        x = LEFT + inner * tick / 4
        parts.insert(0, f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 10}" y2="{bottom - 8}"/>')
        parts.append(_text(x, bottom + 8, f"{most * factor * tick / 4:g}", "middle"))
    return _svg(bottom + 14, parts, ", ".join(f"{name}: {i['value'] * factor:.1f}" for name, i in rows))


def bars(groups: Sequence[Mapping[str, Mapping[str, Any]]]) -> Markup:
    """Return a bar for each kind of question and model: how many of its answers are right."""
    parts, y, inner = [], float(TOP), WIDTH - LEFT - RIGHT
    for kind in groups[0]:
        height = ROW * 0.5
        parts.append(_text(LEFT - 10, y + height * len(groups) / 2 + 4, _short(kind), "end"))
        for n, group in enumerate(groups):
            one = group[kind]
            width = inner * one["value"]
            parts += [
                f'<rect class="{SERIES[n]}" x="{LEFT}" y="{y:.1f}" width="{width:.1f}" '
                f'height="{height - 2:g}"/>',
                _text(LEFT + width + 6, y + height - 3, f"{one['good']}/{one['questions']}"),
            ]
            y += height
        y += 8
    return _svg(y, parts, ", ".join(groups[0]))


def trend(points: Sequence[tuple[str, Mapping[str, float]]], most: float, factor: float) -> Markup:
    """Return a line over the months with a band of the intervals; see ``intervals``."""
    left, inner = 50, WIDTH - 50 - RIGHT
    step = inner / max(1, len(points) - 1)

    def y_of(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / most

    parts = []
    for tick in range(5):
        y = y_of(most * tick / 4)
        parts += [
            f'<line class="grid" x1="{left}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>',
            _text(left - 8, y + 4, f"{most * factor * tick / 4:g}", "end"),
        ]
    places = [(left + step * n, point) for n, (_, point) in enumerate(points)]
    ends = [f"{x:.1f},{y_of(p['high']):.1f}" for x, p in places]
    ends += [f"{x:.1f},{y_of(p['low']):.1f}" for x, p in reversed(places)]
    line = " ".join(f"{x:.1f},{y_of(p['value']):.1f}" for x, p in places)
    parts += [
        f'<polygon class="band" points="{" ".join(ends)}"/>',
        f'<polyline class="one" points="{line}"/>',
    ]
    # So many months that their names do not touch.
    every = max(1, -(-len(points) // 8))
    for n, (x, point) in enumerate(places):
        parts.append(f'<circle class="one" cx="{x:.1f}" cy="{y_of(point["value"]):.1f}" r="4"/>')
        if n % every == 0:
            parts.append(_text(x, HEIGHT - 8, points[n][0], "middle"))
    return _svg(HEIGHT, parts, ", ".join(f"{m}: {p['value'] * factor:.1f}" for m, p in points))
