"""files/elasticsearch agrees with itself, with the fields that the assistant writes and with the samples."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

import pytest

from assistant.log_fields import ALWAYS, OWN, OWN_FIELDS, SOMETIMES
from tests.logging.events import OWN_WORDS, flat, samples, stream_of
from tests.logging.install import ADDRESSES, FILES, contents

PIPELINES = contents("ingest_pipelines")


def mapped(properties: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the dotted names of a mapping and their types."""
    names: dict[str, str] = {}
    for name, content in properties.items():
        if "properties" in content:
            names |= mapped(content["properties"], f"{prefix}{name}.")
        else:
            names[prefix + name] = content["type"]
    return names


MAPPINGS = contents("component_templates")["ai-assistant-mappings"]["template"]["mappings"]
TYPES = mapped(MAPPINGS["properties"])


def test_every_folder_has_its_address() -> None:
    assert {path.name for path in FILES.iterdir()} == set(ADDRESSES)


def test_every_field_of_the_assistant_has_a_type() -> None:
    names = {*ALWAYS, *SOMETIMES, *(f"{OWN}.{name}" for name in OWN_FIELDS)}
    assert names - set(TYPES) == set()
    # And no more than it writes: a field that left the code leaves the mapping.
    assert {name for name in TYPES if name.startswith(f"{OWN}.")} <= names


def test_every_field_of_the_samples_has_a_type() -> None:
    used = {name for sample in samples() for name in sample.expected} | set(OWN_WORDS)
    assert used - set(TYPES) == set()


def test_nothing_is_mapped_by_chance() -> None:
    assert MAPPINGS["dynamic"] is False


def test_the_parts_know_each_other() -> None:
    settings = contents("component_templates")["ai-assistant-settings"]["template"]["settings"]["index"]
    (template,) = contents("index_templates").values()
    assert settings["lifecycle"]["name"] in contents("lifecycle_policies")
    assert set(template["composed_of"]) == set(contents("component_templates"))
    for role in contents("roles").values():
        for index in role["indices"]:
            assert all(name.startswith("logs-ai_assistant.") for name in index["names"])
    for sample in samples():
        assert fnmatch.fnmatch(stream_of(sample.event), *template["index_patterns"])


def test_every_pipeline_is_there_and_used() -> None:
    called = set(
        re.findall(
            r'"pipeline": \{[^}]*?"name": "([a-z0-9-]+)"',
            "".join(path.read_text() for path in (FILES / "ingest_pipelines").glob("*.json")),
        )
    )
    assert called == set(PIPELINES) - {"ai-assistant"}


def test_every_dataset_has_a_way() -> None:
    conditions = json.dumps(PIPELINES["ai-assistant"]["processors"])
    for dataset in {sample.dataset for sample in samples()}:
        assert f"ctx.data_stream?.dataset == 'ai_assistant.{dataset}'" in conditions


def test_the_writer_may_add_lines_and_nothing_else() -> None:
    role = contents("roles")["ai_assistant_writer"]
    assert role["cluster"] == ["monitor"]
    assert [index["privileges"] for index in role["indices"]] == [["auto_configure", "create_doc"]]


@pytest.mark.parametrize("name", PIPELINES)
def test_an_entry_pipeline_alone_catches_failures(name: str) -> None:
    """A pipeline that caught its own would go on as if the line had been read."""
    assert ("on_failure" in PIPELINES[name]) == (name == "ai-assistant")


def test_samples_are_events_of_their_dataset() -> None:
    for sample in samples():
        shipped = flat(sample.event)
        assert shipped["data_stream.dataset"] == shipped["event.dataset"] == f"ai_assistant.{sample.dataset}"
        assert {"@timestamp", "message", "host.name", "data_stream.namespace"} <= set(shipped)
