"""Search the machine's logs as Kibana does: by fields, through the interface of Elasticsearch."""

from __future__ import annotations

import json
import shlex
import time
from typing import Any

from tests.machines_logging.place_node import PORT
from tests.machines_verify.machine_access import on_machine

# What the issue asks for, seconds from the line to the search; the test itself asserts no time.
SOON = 10.0
# A busy test host may take longer; then the figure says so and the test does not fail.
PATIENCE = 180.0
CA = "/etc/ai-assistant-elk/external-ca.crt"
ALL = "logs-ai_assistant.*"


def search(query: dict[str, Any], size: int = 100) -> list[dict[str, Any]]:
    """Return the documents that a query (Elasticsearch's own language) finds, in the order of time."""
    body = {"query": query, "size": size, "sort": [{"@timestamp": {"order": "asc", "unmapped_type": "date"}}]}
    line = (
        f"curl --silent --show-error --cacert {CA} -H 'Content-Type: application/json'"
        f" -d {shlex.quote(json.dumps(body))} 'https://127.0.0.1:{PORT}/{ALL}/_search?ignore_unavailable=true'"
    )
    answer = json.loads(on_machine(line))
    assert "hits" in answer, answer
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def terms(**fields: str | int) -> dict[str, Any]:
    """Return a query for documents with all these values; two underscores in a name stand for a dot.

    The Elasticsearch of the test makes up its mappings, with ``.keyword`` for words.
    """
    clauses: list[dict[str, Any]] = []
    for name, value in fields.items():
        field = name.replace("__", ".")
        if isinstance(value, str):
            either = [{"term": {field: value}}, {"term": {f"{field}.keyword": value}}]
            clauses.append({"bool": {"should": either, "minimum_should_match": 1}})
        else:
            clauses.append({"term": {field: value}})
    return {"bool": {"filter": clauses}}


def found(query: dict[str, Any], least: int = 1) -> tuple[list[dict[str, Any]], float]:
    """Wait until a query finds so many documents; return them, and how long that took in seconds."""
    begun = time.monotonic()
    while True:
        documents = search(query)
        took = time.monotonic() - begun
        if len(documents) >= least or took > PATIENCE:
            return documents, took
        time.sleep(0.5)


def value(document: dict[str, Any], name: str) -> Any:
    """Return a field by its dotted name, however the document nests it; None where it is absent."""
    if name in document:
        return document[name]
    head, _, rest = name.partition(".")
    while rest:
        if isinstance(document.get(head), dict):
            inner = value(document[head], rest)
            if inner is not None:
                return inner
        more, _, rest = rest.partition(".")
        head = f"{head}.{more}"
    return None
