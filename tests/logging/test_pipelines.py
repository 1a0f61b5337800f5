"""The ingest pipelines on Elasticsearch's own processors (7.10.2)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.logging.events import FAILED, OWN_WORDS, Sample, event, flat, samples, through_pipelines
from tests.logging.install import RefusedError, contents, put

ALL = samples()
# In the samples' inputs.
SECRETS = (
    "hunter2-S3cret",
    "tr0ub4dor",
    "abc.def-ghi",
    "not-so-secret",
    "abcdef0123456789",
    b"hunter2-S3cret".hex().upper(),
)
RAW = ("journald", "syslog", "line", "matched", "time", "input")


@pytest.mark.parametrize("sample", ALL, ids=str)
def test_a_line_gets_its_fields(pipelines: httpx.Client, sample: Sample) -> None:
    fields = flat(through_pipelines(pipelines, [sample.event])[0])
    shipped = flat(sample.event)
    changed = {name: value for name, value in fields.items() if shipped.get(name) != value}
    assert fields["event.ingested"]
    if FAILED in fields.get("tags", []):
        assert fields["error.message"]
    given = {name: value for name, value in changed.items() if name not in OWN_WORDS}
    wanted = {name: value for name, value in sample.expected.items() if name not in OWN_WORDS}
    assert given == wanted
    assert ("error.message" in changed) >= ("error.message" in sample.expected)


def test_every_dataset_has_samples_and_a_pipeline() -> None:
    names = {name.removeprefix("ai-assistant-") for name in contents("ingest_pipelines")}
    assert {sample.dataset for sample in ALL} <= names
    assert len({str(sample) for sample in ALL}) == len(ALL)


def test_no_line_keeps_a_secret_or_the_shippers_raw_fields(pipelines: httpx.Client) -> None:
    sources = through_pipelines(pipelines, [sample.event for sample in ALL])
    assert all(secret in str([sample.event for sample in ALL]) for secret in SECRETS)
    assert [secret for secret in SECRETS if secret in str(sources)] == []
    assert [name for source in sources for name in RAW if name in source] == []


@pytest.mark.parametrize("dataset", sorted({sample.dataset for sample in ALL}))
@pytest.mark.parametrize(
    "message", ["", " ", "{", "[]", "null", "{}", '{"message": {}}', "\x00\ufffd", "x" * 40000, "日志 ✓"]
)
def test_no_line_is_lost(pipelines: httpx.Client, dataset: str, message: str) -> None:
    source = through_pipelines(pipelines, [event(dataset, message)])[0]
    assert source["message"] == message
    assert source["event"]["dataset"] == f"ai_assistant.{dataset}"
    assert source["@timestamp"]


def test_an_event_without_a_message_or_dataset_is_kept(pipelines: httpx.Client) -> None:
    for shipped in ({"a": 1}, {"data_stream": {"dataset": "ai_assistant.auth"}}, {"message": "7"}):
        source = through_pipelines(pipelines, [dict(shipped)])[0]
        assert flat(shipped).items() <= flat(source).items()
        assert source["@timestamp"]


def test_a_message_that_is_no_text_becomes_one(pipelines: httpx.Client) -> None:
    assert through_pipelines(pipelines, [{"message": 7}])[0]["message"] == "7"


@pytest.mark.parametrize(
    "command",
    [
        "/usr/bin/id",
        "/usr/bin/ls /etc/passwd /etc/secrets/app",
        "/usr/bin/find / -name token.py",
        "/usr/sbin/usermod --shell /bin/sh operator",
        "/usr/bin/cat context_tokens=1024",
    ],
)
def test_harmless_commands_stay_as_they_are(pipelines: httpx.Client, command: str) -> None:
    message = f"operator : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND={command}"
    shipped = event("auth", message, syslog={"identifier": "sudo", "pid": "1"})
    source = through_pipelines(pipelines, [shipped])[0]
    assert source["message"] == message
    assert source["process"]["command_line"] == command


@pytest.mark.parametrize(
    "argument",
    [
        "--password=S3CRET",
        "--password S3CRET",
        "--db-password='S3CRET'",
        'PASSWORD="S3CRET"',
        "MYSQL_PWD=S3CRET",
        "api_key=S3CRET",
        "--api-key S3CRET",
        "ACCESS_TOKEN=S3CRET",
        "--client-secret S3CRET",
        "private-key: S3CRET",
        "passphrase=S3CRET",
        "Authorization: Basic S3CRET",
        "https://user:S3CRET@example.org/",
        "redis://:S3CRET@localhost:6379",
    ],
)
def test_what_looks_like_a_secret_is_masked(pipelines: httpx.Client, argument: str) -> None:
    message = f"operator : PWD=/srv ; USER=root ; COMMAND=/usr/bin/tool {argument} --verbose"
    source = through_pipelines(pipelines, [event("auth", message, syslog={"identifier": "sudo"})])[0]
    assert "S3CRET" not in str(source)
    assert "[secret]" in source["process"]["command_line"]
    assert source["process"]["command_line"].endswith("--verbose")


@pytest.mark.parametrize(
    "wrong",
    [
        {"processors": [{"grko": {"field": "message"}}]},
        {"processors": [{"grok": {"field": "message", "patterns": ["%{NO_SUCH_PATTERN:x}"]}}]},
        {"processors": [{"set": {"field": "a", "value": 1, "if": "ctx.message ==="}}]},
        {"processors": [{"set": {"field": "a", "value": 1, "ovride": True}}]},
    ],
)
def test_a_wrong_pipeline_is_refused_and_the_old_one_stays(
    pipelines: httpx.Client, wrong: dict[str, Any]
) -> None:
    address = "/_ingest/pipeline/ai-assistant-system"
    before = pipelines.get(address).json()
    with pytest.raises(RefusedError, match="ai-assistant-system: 4"):
        put(pipelines, "ingest_pipelines", "ai-assistant-system", wrong)
    assert pipelines.get(address).json() == before
