"""Events as Filebeat ships them, what the pipelines make of them, and sending them as a writer does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

SAMPLES = Path(__file__).parent / "samples"
STREAMS = "logs-ai_assistant.*-*"
# What each engine says in its own way, or at its own time.
OWN_WORDS = ("event.ingested", "error.message")
FAILED = "ai_assistant_parse_failure"


@dataclass(frozen=True)
class Sample:
    """One line of a host: as it is shipped, and the fields that it must get."""

    dataset: str
    name: str
    event: dict[str, Any]
    expected: dict[str, Any]

    def __str__(self) -> str:
        """Name it in a test's output."""
        return f"{self.dataset}: {self.name}"


def samples() -> list[Sample]:
    """Return all samples."""
    return [
        Sample(path.stem, row["name"], row["input"], row["expected"])
        for path in sorted(SAMPLES.glob("*.json"))
        for row in json.loads(path.read_text())
    ]


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested fields under dotted names."""
    fields: dict[str, Any] = {}
    for name, content in value.items():
        if isinstance(content, dict) and content:
            fields |= flat(content, f"{prefix}{name}.")
        else:
            fields[prefix + name] = content
    return fields


def event(dataset: str, message: str, **more: Any) -> dict[str, Any]:
    """Return an event as Filebeat ships it."""
    return {
        "@timestamp": "2026-11-27T01:00:00.123Z",
        "message": message,
        "host": {"name": "assistant-1"},
        "event": {"dataset": f"ai_assistant.{dataset}"},
        "data_stream": {"type": "logs", "dataset": f"ai_assistant.{dataset}", "namespace": "default"},
        "log": {"offset": 0, "file": {"path": "/var/log/example.log"}},
        **more,
    }


def through_pipelines(client: httpx.Client, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the entry pipeline makes of ``events``, on a ``pipeline_node``.

    Raises:
        AssertionError: a line was lost: the pipeline failed or dropped it.
    """
    answer = client.post(
        "/_ingest/pipeline/ai-assistant/_simulate", json={"docs": [{"_source": event} for event in events]}
    )
    assert answer.is_success, answer.text
    documents = answer.json()["docs"]
    lost = [document for document in documents if not document or "doc" not in document]
    assert not lost, lost
    return [document["doc"]["_source"] for document in documents]


def stream_of(source: dict[str, Any]) -> str:
    """Return the name of the data stream that an event belongs to."""
    parts = source["data_stream"]
    return f"{parts['type']}-{parts['dataset']}-{parts['namespace']}"


def send(client: httpx.Client, sources: list[dict[str, Any]], ids: list[str] | None = None) -> list[int]:
    """Create the documents in one request, as Filebeat does, and return the status of each."""
    lines = []
    for number, source in enumerate(sources):
        create = {"_index": stream_of(source)} | ({"_id": ids[number]} if ids else {})
        lines += [json.dumps({"create": create}), json.dumps(source)]
    answer = client.post(
        "/_bulk", content="\n".join(lines) + "\n", headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.is_success, answer.text
    return [item["create"]["status"] for item in answer.json()["items"]]


def found(client: httpx.Client, query: dict[str, Any], size: int = 100) -> list[dict[str, Any]]:
    """Return the lines that a search in all data streams of the assistant finds, oldest first.

    A stream whose first line has just made it finds nothing for a moment.
    """
    answer = client.post(
        f"/{STREAMS}/_search", json={"query": query, "size": size, "sort": [{"@timestamp": "asc"}]}
    )
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "no_shard_available" in answer.text:
        return []
    assert answer.is_success, answer.text
    return [hit["_source"] for hit in answer.json()["hits"]["hits"]]
