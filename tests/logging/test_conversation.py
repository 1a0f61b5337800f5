"""A conversation's own lines, of nginx and of the assistant, found in Elasticsearch by one id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bench.ack.arrivals import arrive
from tests.bench.ack.rig import assembled, nginx_configuration
from tests.bench.ack.traffic import People
from tests.integration.app.process import SECRETS, until
from tests.logging.events import FAILED, STREAMS, event, found, send, through_pipelines

WORDS = "a sentence that no log may hold"
WAY = ["message-received", "message-taken", "message-answered", "reply-sent"]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What nginx and the assistant wrote while two people asked something, one on each platform."""
    folder = tmp_path_factory.mktemp("conversation")
    access = folder / "access.log"
    with assembled(folder, nginx_configuration(folder), []) as rig:
        arrivals = arrive(rig.door, People(1).write([WORDS], 2), 1.0)
        assert [arrival.status for arrival in arrivals] == [200, 200]
        until("both are answered", lambda: rig.assistant.log().count('"reply-sent"') == 2)
        until("nginx wrote both down", lambda: _lines(access).count('"/') >= 2)
        return {"app": rig.assistant.log().splitlines(), "nginx": _lines(access).splitlines()}


def _lines(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_an_id_finds_the_whole_way(
    logs: dict[str, list[str]],
    pipelines: httpx.Client,
    writer: httpx.Client,
    reader: httpx.Client,
    admin: httpx.Client,
) -> None:
    shipped = [event(dataset, line) for dataset, lines in logs.items() for line in lines if line]
    sources = through_pipelines(pipelines, shipped)
    assert not [source for source in sources if FAILED in source.get("tags", [])]
    assert set(send(writer, sources)) == {201}
    assert admin.post(f"/{STREAMS}/_refresh").is_success
    requests = [json.loads(line) for line in logs["nginx"]]
    webhooks = [request for request in requests if request["url"]["path"].endswith("/webhook")]
    assert {request["url"]["path"] for request in webhooks} == {"/feishu/webhook", "/telegram/webhook"}
    for request in webhooks:
        way = found(reader, {"term": {"trace.id": request["trace"]["id"]}})
        assert [_step(line) for line in way if line["service"]["name"] == "ai-assistant"] == WAY
        (front,) = [line for line in way if line["service"]["name"] == "nginx"]
        assert front["url"]["path"] == request["url"]["path"]
        platform = request["url"]["path"].split("/")[1]
        assert {line["assistant"]["platform"] for line in way if "assistant" in line} == {platform}


def test_neither_words_nor_secrets_are_stored(
    logs: dict[str, list[str]], admin: httpx.Client, pipelines: httpx.Client
) -> None:
    stored = json.dumps(found(admin, {"match_all": {}}, 10000))
    assert '"message-answered"' in stored
    assert [value for value in [WORDS, *SECRETS.values()] if value in stored] == []


def _step(line: dict[str, Any]) -> str:
    return str(line["event"].get("action"))
