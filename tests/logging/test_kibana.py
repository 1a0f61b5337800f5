"""Kibana's queries, charts and fields, asked of a real Elasticsearch that holds the samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.logging import kibana_objects, kql
from tests.logging.events import STREAMS, event, samples, send, through_pipelines
from tests.logging.node import Node

OBJECTS = kibana_objects.objects()
ASKING = {name: made for name, made in OBJECTS.items() if made["type"] in ("search", "lens")}
each_question = pytest.mark.parametrize("made", ASKING.values(), ids=list(ASKING))
TRACE = "0123456789abcdef0123456789abcdef"


def _line(action: str, duration: int, second: int) -> dict[str, Any]:
    words = {
        "@timestamp": f"2026-11-27T01:00:{second:02}.000Z",
        "log.level": "info",
        "message": action,
        "event": {"action": action, "outcome": "success", "duration": duration},
        "trace": {"id": TRACE},
        "assistant": {"platform": "feishu", "prompt_tokens": 20, "completion_tokens": 30},
    }
    return event("app", json.dumps(words))


def _request() -> dict[str, Any]:
    words = {
        "@timestamp": "2026-11-27T01:00:01+00:00",
        "message": "request",
        "trace": {"id": TRACE},
        "event": {"action": "request", "outcome": "success", "duration": 1000000},
        "http": {"request": {"method": "POST"}, "response": {"status_code": 200}},
    }
    return event("nginx", json.dumps(words))


@pytest.fixture(scope="module")
def filled(node: Node, pipelines: httpx.Client) -> Iterator[httpx.Client]:
    """A reader of a node with the samples, and one message's way with a slow answer."""
    way = [
        _line("reply-sent", 0, 16),
        _line("message-answered", 12_000_000_000, 15),
        _line("message-received", 0, 2),
        _request(),
    ]
    sources = through_pipelines(pipelines, [*(sample.event for sample in samples()), *way])
    with node.client("writer", "a-password-of-a-test") as writer:
        statuses = send(writer, sources, [f"kibana-{number}" for number in range(len(sources))])
        assert set(statuses) == {201}
    with node.client() as admin:
        admin.post(f"/{STREAMS}/_refresh").raise_for_status()
    with node.client("reader", "a-password-of-a-test") as reader:
        yield reader


def search(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    pattern = OBJECTS["ai-assistant-logs"]["attributes"]["title"]
    answer = client.post(f"/{pattern}/_search", json=body)
    assert answer.is_success, answer.text
    document: dict[str, Any] = answer.json()
    return document


@each_question
def test_it_finds_lines(filled: httpx.Client, made: dict[str, Any]) -> None:
    found = search(filled, kibana_objects.asked(made))
    assert found["hits"]["total"]["value"] > 0
    for name, aggregation in found.get("aggregations", {}).items():
        assert aggregation.get("buckets") or aggregation.get("values"), name


@each_question
def test_it_does_not_find_everything(filled: httpx.Client, made: dict[str, Any]) -> None:
    every = search(filled, {"size": 0, "track_total_hits": True})["hits"]["total"]["value"]
    assert search(filled, kibana_objects.asked(made))["hits"]["total"]["value"] < every


def test_every_field_is_mapped_as_it_is_used(filled: httpx.Client) -> None:
    used = {
        name
        for made in OBJECTS.values()
        if made["type"] != "dashboard"
        for name in kibana_objects.fields(made)
    }
    pattern = OBJECTS["ai-assistant-logs"]["attributes"]["title"]
    answer = filled.get(f"/{pattern}/_field_caps", params={"fields": ",".join(sorted(used))})
    assert answer.is_success, answer.text
    types = {name: set(found) - {"unmapped"} for name, found in answer.json()["fields"].items()}
    assert used - set(types) == set()
    # A field with two types cannot be shown in one chart.
    assert {name: found for name, found in types.items() if len(found) != 1} == {}
    kinds = {"number": {"long", "integer", "float"}, "ip": {"ip"}, "date": {"date"}}
    for made in ASKING.values():
        for column in kibana_objects.columns(made).values() if made["type"] == "lens" else ():
            field, kind = column["sourceField"], column["dataType"]
            if field != kibana_objects.RECORDS:
                assert types[field] <= kinds.get(kind, {"keyword", "constant_keyword"}), field


def test_a_correlation_id_finds_a_messages_whole_way(filled: httpx.Client) -> None:
    made = OBJECTS["ai-assistant-message"]
    body = kibana_objects.asked(made)
    for words in (TRACE, f"{TRACE[:8]}*"):
        body["query"] = kql.query(kibana_objects.query(made).replace("*", words))
        lines = [hit["_source"] for hit in search(filled, body)["hits"]["hits"]]
        assert [line["event"]["action"] for line in lines] == [
            "request",
            "message-received",
            "message-answered",
            "reply-sent",
        ]


def test_only_slow_answers_are_slow(filled: httpx.Client) -> None:
    found = search(filled, kibana_objects.asked(OBJECTS["ai-assistant-slow-answers"]))
    assert [hit["_source"]["trace"]["id"] for hit in found["hits"]["hits"]] == [TRACE]
