"""Ask a real Prometheus every query of the dashboards, with the variables filled in as Grafana fills them.

``problems(url)`` is all that a test needs; ``python -m tests.monitoring_queries URL`` is the same by hand.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

FOLDER = Path(__file__).resolve().parents[1] / "files" / "grafana" / "dashboards"

# Queries that may give nothing although all is well: "<uid>/<panel>" or "<uid>/<panel>/<query>", and why.
MAY_BE_EMPTY: dict[str, str] = {
    "assistant-overview/Firing alerts": "nothing fires where all is well",
    "assistant-overview/Saturation/C": "a container without a memory limit has no share of it",
    "assistant-inference/Memory/B": "a container without a memory limit has none to show",
    "assistant-host/Failed units": "the node exporter looks at units where its collector systemd is on",
    "assistant-host/Failed units by name": "no unit fails where all is well",
    "assistant-canary/State of the release": "nothing was ever released",
    "assistant-canary/Good ratings: stable": "nobody may have rated an answer in the time shown",
    "assistant-canary/Good ratings: candidate": "there is no candidate, or nobody rated its answers",
}
# Where no blackbox exporter looks at a public address.
WITHOUT_PUBLIC_ADDRESS: dict[str, str] = {
    "assistant-overview/Certificate": "no probe of a public address",
    "assistant-overview/Targets/B": "no probe of a public address",
    "assistant-overview/Public address": "no probe of a public address",
}


@dataclass(frozen=True)
class Query:
    """One query of a panel."""

    panel: str  # "<uid>/<title>"
    reference: str
    expression: str
    instant: bool

    @property
    def name(self) -> str:
        """Return its place as ``MAY_BE_EMPTY`` writes it."""
        return f"{self.panel}/{self.reference}"


def dashboards(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Return the dashboards of a folder; fail where it has none.

    Raises:
        FileNotFoundError: The folder has no dashboard.
    """
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    if not found:
        raise FileNotFoundError(f"{folder} has no dashboard; run: make dashboards")
    return found


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels of a dashboard that are no rows, those of collapsed rows too."""
    for panel in dashboard["panels"]:
        yield from panel.get("panels") or []
        if panel["type"] != "row":
            yield panel


def queries(boards: list[dict[str, Any]]) -> list[Query]:
    """Return every query of every panel."""
    return [
        Query(
            f"{board['uid']}/{panel['title']}", target["refId"], target["expr"], bool(target.get("instant"))
        )
        for board in boards
        for panel in panels(board)
        for target in panel["targets"]
    ]


def substituted(expression: str, *, step: int, shown: int, scrape: int, values: Mapping[str, str]) -> str:
    """Return a query with Grafana's variables filled in.

    ``$__rate_interval`` is the larger of the step and a scrape together, and four scrapes:
    https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/

    Args:
        expression: The query.
        step: Seconds between two points of the graph.
        shown: Seconds that the dashboard shows.
        scrape: Seconds between two scrapes, as the data source has it.
        values: The dashboard's own variables.

    Raises:
        ValueError: The query has a variable that nobody knows; Prometheus would take it for a mistake.
    """
    known = {
        "__rate_interval": f"{max(step + scrape, 4 * scrape)}s",
        "__interval": f"{step}s",
        "__interval_ms": str(step * 1000),
        "__range": f"{shown}s",
        "__range_s": str(shown),
        **values,
    }

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in known:
            raise ValueError(f"${name} is no variable of the dashboard")
        return known[name]

    # "$" at the end of a regular expression is none.
    return re.sub(r"\$(?:(\w+)|\{(\w+)(?::\w+)?\})", value, expression)


def variables(board: Mapping[str, Any]) -> dict[str, str]:
    """Return the value of each of a dashboard's variables when "All" is selected."""
    return {one["name"]: one.get("allValue") or ".*" for one in board["templating"]["list"]}


def _ask(client: httpx.Client, path: str, parameters: Mapping[str, str | float]) -> Any:
    """Return the ``data`` of an answer.

    Raises:
        ValueError: Prometheus refused; its reason.
    """
    answer = client.get(path, params=dict(parameters))
    body = answer.json()
    if body["status"] != "success":
        raise ValueError(body["error"])
    return body["data"]


def _has_data(result: list[dict[str, Any]]) -> bool:
    points = [
        point
        for series in result
        for point in (series["values"] if "values" in series else [series["value"]])
    ]
    return any(not math.isnan(float(value)) for _, value in points)


def excused(name: str, lists: Mapping[str, str]) -> bool:
    """Say whether the query ``<uid>/<panel>/<reference>`` may give nothing."""
    return name in lists or name.rpartition("/")[0] in lists


def problems(
    url: str,
    *,
    folder: Path = FOLDER,
    shown: int = 900,
    step: int = 15,
    scrape: int = 15,
    also_empty: Mapping[str, str] | None = None,
) -> list[str]:
    """Ask everything once; return what Prometheus refused, and what gave nothing and should have.

    Args:
        url: Address of Prometheus.
        folder: The dashboards.
        shown: Seconds that the dashboards show.
        step: Seconds between two points.
        scrape: Prometheus's scrape interval, in seconds.
        also_empty: What gives nothing in these surroundings, beside ``MAY_BE_EMPTY``.

    Raises:
        httpx.TransportError: Prometheus cannot be reached.
    """
    lists = {**MAY_BE_EMPTY, **(also_empty or {})}
    boards = dashboards(folder)
    names = {query.name for query in queries(boards)}
    names |= {name.rpartition("/")[0] for name in names}
    found = [f"{name}: there is no such panel or query" for name in lists if name not in names]
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        for board in boards:
            found += _board_problems(client, board, lists, shown=shown, step=step, scrape=scrape)
    return found


def _board_problems(
    client: httpx.Client,
    board: dict[str, Any],
    lists: Mapping[str, str],
    *,
    shown: int,
    step: int,
    scrape: int,
) -> list[str]:
    now = time.time()
    span: dict[str, str | float] = {"start": now - shown, "end": now, "step": step}
    values = variables(board)
    found = []
    for query in queries([board]):
        try:
            text = substituted(query.expression, step=step, shown=shown, scrape=scrape, values=values)
            path = "/api/v1/query" if query.instant else "/api/v1/query_range"
            data = _ask(client, path, {"query": text, **({"time": now} if query.instant else span)})
        except ValueError as error:
            found.append(f"{query.name}: {error}: {query.expression}")
            continue
        if not _has_data(data["result"]) and not excused(query.name, lists):
            found.append(f"{query.name}: no data: {text}")
    for mark in board["annotations"].get("list", []):
        text = substituted(mark["expr"], step=step, shown=shown, scrape=scrape, values=values)
        try:
            _ask(client, "/api/v1/query_range", {"query": text, **span})
        except ValueError as error:
            found.append(f"{board['uid']}/{mark['name']}: {error}: {text}")
    for variable in board["templating"]["list"]:
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert match, variable["query"]["query"]
        if not _ask(client, f"/api/v1/label/{match[2]}/values", {"match[]": match[1], "start": now - shown}):
            found.append(f"{board['uid']}: the variable {variable['name']} has no value")
    return found


def main(arguments: list[str]) -> int:
    """Print the problems; return the exit status."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    found = problems(arguments[0])
    print("\n".join(found) or "every query has an answer")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
