"""Reads Kibana's objects for the tests: their queries, their fields, and what Elasticsearch is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.logging import kql
from tools.kibana.__main__ import FILE

Object = dict[str, Any]
# What every document has without a mapping of its own.
RECORDS = "___records___"


def objects() -> dict[str, Object]:
    """Return the committed objects by their ids."""
    made = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    return {one["id"]: one for one in made}


def query(made: Object) -> str:
    """Return the query of a search or a chart, in Kibana's language."""
    if made["type"] == "lens":
        return str(made["attributes"]["state"]["query"]["query"])
    source = json.loads(made["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    return str(source["query"]["query"])


def columns(made: Object) -> dict[str, Object]:
    """Return the columns of a chart, in their order."""
    layers = made["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]
    return {name: layer["columns"][name] for layer in layers.values() for name in layer["columnOrder"]}


def fields(made: Object) -> set[str]:
    """Return every field that an object names."""
    kind, attributes = made["type"], made["attributes"]
    if kind == "index-pattern":
        return {attributes["timeFieldName"], *json.loads(attributes["fieldFormatMap"])}
    named = kql.fields(query(made))
    if kind == "search":
        named |= set(attributes["columns"]) | {name for name, _ in attributes["sort"]}
    if kind == "lens":
        named |= {column["sourceField"] for column in columns(made).values()} - {RECORDS}
    return named


def asked(made: Object) -> dict[str, Any]:
    """Return what Elasticsearch is asked for a search or a chart: the query, and a chart's aggregations."""
    body: dict[str, Any] = {"query": kql.query(query(made)), "track_total_hits": True}
    if made["type"] == "search":
        body["sort"] = [{name: order} for name, order in made["attributes"]["sort"]]
        # Elasticsearch refuses a field without a mapping here only where it is told to.
        body["fields"] = [{"field": name} for name in made["attributes"]["columns"]]
        return body
    body["size"] = 0
    level = body
    for name, aggregation in _aggregations(columns(made)):
        level["aggs"] = {**level.get("aggs", {}), name: aggregation}
        if "date_histogram" in aggregation or "terms" in aggregation:
            level = aggregation
    return body


def _aggregations(found: dict[str, Object]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, column in found.items():
        field = column["sourceField"]
        if column["operationType"] == "date_histogram":
            yield name, {"date_histogram": {"field": field, "fixed_interval": "1h", "min_doc_count": 1}}
        elif column["operationType"] == "terms":
            yield name, {"terms": {"field": field, "size": column["params"]["size"]}}
        elif column["operationType"] == "percentile":
            yield name, {"percentiles": {"field": field, "percents": [column["params"]["percentile"]]}}
