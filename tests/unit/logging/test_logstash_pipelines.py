"""The pipelines in files/logstash, run by our own interpreter (tests/logging/logstash), not by Logstash."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from assistant import log_fields
from tests.logging.logstash import grok, reference
from tests.logging.logstash.event import Event
from tests.logging.logstash.language import Plugin, Section, Value
from tests.logging.logstash.pipeline import FOLDER, Pipeline, sections
from tools.controller.cache import ROOT

SAMPLES = {
    f"{path.stem}: {sample['name']}": sample
    for path in sorted((ROOT / "tests/logging/samples").glob("*.json"))
    for sample in json.loads(path.read_text(encoding="utf-8"))
}
each_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=list(SAMPLES))
DATASETS = {"app", "nginx", "auth", "fail2ban", "ufw", "docker", "auditd", "ansible", "system"}
# These are the engine's own words, or the present.
NOT_COMPARED = {"event.ingested", "error.message"}
LINE = "[@metadata][line]"


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(sections())


def plugins(kind: str) -> list[Plugin]:
    return [
        plugin
        for section in sections()
        if section.kind == kind
        for plugin in reference.plugins(section.statements)
    ]


def options(kind: str, name: str) -> dict[str, Value]:
    found = [plugin for plugin in plugins(kind) if plugin.name == name]
    assert len(found) == 1
    return dict(found[0].options)


def flat(fields: dict[str, Any]) -> dict[str, Any]:
    return Event(fields).sent()


def test_the_documentation_knows_every_plugin_and_option() -> None:
    assert reference.faults(sections()) == []


def test_every_plugin_has_a_name_of_its_own() -> None:
    # By these names Logstash's own figures and messages say which filter they are about.
    for section in sections():
        for plugin in reference.plugins(section.statements):
            assert "id" in dict(plugin.options), plugin.place


@each_sample
def test_a_line_becomes_what_is_expected(pipeline: Pipeline, sample: dict[str, Any]) -> None:
    event = pipeline.run(sample["input"])
    assert event is not None
    sent = event.sent()
    assert {name: sent.get(name) for name in sample["expected"]} == sample["expected"]


@each_sample
def test_nothing_else_is_added_or_changed(pipeline: Pipeline, sample: dict[str, Any]) -> None:
    event = pipeline.run(sample["input"])
    assert event is not None
    shipped = flat(sample["input"])
    others = set(event.sent()) - set(sample["expected"]) - NOT_COMPARED
    assert {name: event.get(f"[{name.replace('.', '][')}]") for name in others} == {
        name: shipped.get(name) for name in others
    }
    if "ai_assistant_parse_failure" in sample["expected"].get("tags", []):
        assert event.get("[error][message]")


def test_raw_fields_of_the_shipper_are_removed(pipeline: Pipeline) -> None:
    raw = ("journald.", "syslog.", "docker.", "input.", "agent.id", "agent.ephemeral_id", "user.group.")
    shipped = {name for sample in SAMPLES.values() for name in flat(sample["input"])}
    assert all(any(name.startswith(start) for name in shipped) for start in raw)
    for sample in SAMPLES.values():
        event = pipeline.run(sample["input"])
        assert event is not None
        assert [name for name in event.sent() if name.startswith(raw)] == []


def test_every_dataset_has_samples() -> None:
    assert {sample["input"]["data_stream"]["dataset"] for sample in SAMPLES.values()} == {
        f"ai_assistant.{name}" for name in DATASETS
    }


def test_every_ingest_pipeline_of_a_dataset_has_its_filters_here() -> None:
    entry = json.loads((ROOT / "files/elasticsearch/ingest_pipelines/ai-assistant.json").read_text())
    routed = set(re.findall(r"ai_assistant\.(\w+)'", json.dumps(entry)))
    assert routed == DATASETS
    text = "".join(path.read_text() for path in sorted((FOLDER / "pipeline").glob("*.conf")))
    # Of the journal's other lines only what all have in common is read.
    assert set(re.findall(r'"ai_assistant\.(\w+)"', text)) == DATASETS - {"system"}


def test_the_id_that_filebeat_gave_stays(pipeline: Pipeline) -> None:
    line = next(iter(SAMPLES.values()))["input"]
    event = pipeline.run({**line, "@metadata": {"_id": "one", "beat": "filebeat"}})
    assert event is not None
    assert event.get("[@metadata][_id]") == "one"
    assert not [name for name in event.sent() if "metadata" in name]


def test_lines_without_an_id_get_one_each(pipeline: Pipeline) -> None:
    line = next(iter(SAMPLES.values()))["input"]
    events = [pipeline.run(line) for _ in range(2)]
    ids = {event.get("[@metadata][_id]") for event in events if event}
    assert len(ids) == 2
    assert None not in ids


def test_what_logstash_adds_by_itself_is_removed(pipeline: Pipeline) -> None:
    line = next(iter(SAMPLES.values()))["input"]
    event = pipeline.run({**line, "@version": "1"})
    assert event is not None
    assert "@version" not in event.sent()


def test_only_our_own_filebeats_are_listened_to() -> None:
    beats = options("input", "beats")
    assert beats["ssl_enabled"] is True
    assert beats["ssl_client_authentication"] == "required"
    assert beats["ssl_certificate_authorities"]
    assert beats["enrich"] == ["none"]


def test_a_line_is_stored_once_and_retried_until_then() -> None:
    output = options("output", "elasticsearch")
    assert output["action"] == "create"
    assert output["document_id"] == "%{[@metadata][_id]}"
    # logstash-output-elasticsearch takes no document_id together with data_stream => true
    # (lib/logstash/outputs/elasticsearch/data_stream_support.rb).
    assert output["data_stream"] == "false"
    assert not [name for name in output if name.startswith("data_stream_")]
    sent = next(iter(SAMPLES.values()))["input"]
    assert Event(sent).text(output["index"]) == "logs-ai_assistant.ansible-default"
    # The index template's default pipeline would parse what is parsed.
    assert output["pipeline"] == "_none"
    assert output["manage_template"] is False
    assert output["ilm_enabled"] == "false"


def test_the_connection_to_elasticsearch_is_checked() -> None:
    output = options("output", "elasticsearch")
    assert output["ssl_enabled"] is True
    assert output["ssl_verification_mode"] == "full"
    assert output["ssl_certificate_authorities"]


def variables(value: Value) -> dict[str, str | None]:
    found = reference.VARIABLE.finditer(json.dumps(value))
    return {one.group(1): one.group(2) for one in found}


def test_the_password_is_a_variable_without_a_default() -> None:
    named: dict[str, str | None] = {}
    for kind in ("input", "filter", "output"):
        for plugin in plugins(kind):
            named |= variables(dict(plugin.options))
    assert {name for name, default in named.items() if default is None} == {"ELK_LOGSTASH_PASSWORD"}
    assert options("output", "elasticsearch")["password"] == "${ELK_LOGSTASH_PASSWORD}"
    assert {name for name, default in named.items() if default} == {
        "ELK_CERTIFICATES",
        "ELK_ELASTICSEARCH_URL",
        "ELK_LOGSTASH_USER",
        "ELK_PATTERNS",
    }


def taken_over() -> set[str]:
    """Return the names of a JSON line that reach the event."""
    renamed: set[str] = set()
    for plugin in plugins("filter"):
        names = dict(plugin.options).get("rename", {})
        assert isinstance(names, dict)
        renamed |= {name for name in names if name.startswith(LINE)}
    return {name.removeprefix(LINE).strip("[]").replace("][", ".") for name in renamed}


def test_every_field_that_the_assistant_writes_is_taken_over() -> None:
    # These are the shipper's, the schema's or the pipeline's own.
    not_needed = {"@timestamp", "ecs.version", "event.dataset"}
    written = set(log_fields.ALWAYS) | set(log_fields.SOMETIMES)
    assert written - not_needed <= taken_over()
    assert log_fields.OWN in taken_over()


def test_every_field_that_nginx_writes_is_taken_over() -> None:
    template = (ROOT / "roles/proxy/templates/http.conf.j2").read_text()
    found = re.search(r"log_format assistant escape=json(.*?);", template, re.S)
    assert found
    line = "".join(re.findall(r"'(.*)'", found.group(1)))
    # A variable in quotes is a text, one without a number.
    written = flat(json.loads(re.sub(r"(?<=:)\$\w+", "0", line)))
    not_needed = {"@timestamp", "ecs.version", "event.dataset"}
    assert set(written) - not_needed <= taken_over()


def test_every_pattern_is_used() -> None:
    defined = grok.definitions(FOLDER / "patterns")
    text = "".join(path.read_text() for path in (FOLDER / "pipeline").glob("*.conf"))
    text += "".join(defined.values())
    assert [name for name in defined if f"%{{{name}}}" not in text and f"%{{{name}:" not in text] == []
    assert all(name.startswith("AI_") for name in defined)


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("203.0.113.9", True),
        ("255.255.255.255", True),
        ("2001:db8::1", True),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("::ffff:203.0.113.9", True),
        ("256.1.1.1", False),
        ("1.2.3", False),
        ("10:20", False),
        ("example.org", False),
    ],
)
def test_an_address_is_told_from_other_words(address: str, is_one: bool) -> None:
    pattern = grok.Pattern("^%{AI_IP:ip}$", grok.definitions(FOLDER / "patterns"))
    assert bool(pattern.find(address)) == is_one


def test_a_filter_that_is_left_out_is_noticed() -> None:
    # That the samples' test can fail: without one file the lines of its dataset are not read.
    kept = [section for section in sections() if section.kind == "filter"]
    without: list[Section] = [kept[0], kept[1], kept[-1]]
    wrong = 0
    for sample in SAMPLES.values():
        event = Pipeline(without).run(sample["input"])
        assert event is not None
        wrong += any(event.sent().get(name) != value for name, value in sample["expected"].items())
    assert wrong > len(SAMPLES) / 2


def test_the_files_are_read_in_the_order_of_their_work() -> None:
    names = [path.name for path in sorted(Path(FOLDER / "pipeline").glob("*.conf"))]
    assert names[0].endswith("input.conf")
    assert names[-1].endswith("output.conf")
    assert all(re.match(r"\d\d-[a-z0-9]+\.conf$", name) for name in names)
