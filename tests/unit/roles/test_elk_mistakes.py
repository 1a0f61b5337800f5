"""What an operator may get wrong about the logging host: refused before any change, with a way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks
from tests.unit.roles.test_elk_files import SECRETS
from tests.unit.roles.test_operator_mistakes import attempt

MAIN = "inventory/<yours>/group_vars/logging/main.yml"
VAULT = "inventory/<yours>/group_vars/logging/vault.yml"
# As facts: what the host has.
HOST = {"memtotal_mb": 7900, "architecture": "x86_64"}
SMALL = {"elk_reserved_mb": 6000}
OWN = {"elk_elasticsearch_url": "https://search.example.org:9200", "elk_ingest": "elasticsearch"}
MISTAKES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no passwords": (
        dict.fromkeys(SECRETS, ""),
        ["vault_elk_elastic_password", "vault_elk_logstash_password", VAULT, "openssl rand -hex 16"],
    ),
    "a vault without a value": (
        {"elk_elastic_password": "{{ vault_elk_elastic_password }}"},
        ["vault_elk_elastic_password", VAULT, "openssl rand -hex 16"],
    ),
    "a password with other signs": (
        {"elk_kibana_password": "correct horse battery staple"},
        ["vault_elk_kibana_password", "other signs"],
    ),
    "Filebeat without one": (
        {"elk_ingest": "elasticsearch", "elk_filebeat_password": ""},
        ["vault_elk_filebeat_password in inventory/<yours>/group_vars/all/vault.yml", "openssl rand -hex 16"],
    ),
    "a short key": (
        {"elk_kibana_encryption_key": "0123456789abcdef"},
        ["vault_elk_kibana_encryption_key", "32"],
    ),
    "too small with Logstash": (
        SMALL,
        ["has 7900 MB", "needs 9072 MB", "6000 for everything else", "elk_ingest: elasticsearch", "2 x 512"],
    ),
    "too small without Logstash": (
        {**SMALL, "elk_ingest": "elasticsearch"},
        ["has 7900 MB", "needs 8048 MB", "1024 for Kibana", "elk_reserved_mb", "another host"],
    ),
    "a heap that does not fit": (
        {"elk_heap_mb": 4096},
        ["needs 11264 MB", "2 x 4096 for Elasticsearch (elk_heap_mb)"],
    ),
    "a heap without compressed pointers": ({"elk_heap_mb": 40000}, ["elk_heap_mb is 40000", "31744"]),
    "a way in that is none": (
        {"elk_ingest": "kafka"},
        ["elk_ingest is 'kafka'", "elk_ingest: elasticsearch"],
    ),
    "Logstash before an Elasticsearch of one's own": (
        {**OWN, "elk_ingest": "logstash"},
        ["elk_elasticsearch_url", "elk_ingest: elasticsearch"],
    ),
    "a version that is none": ({"elk_version": "latest"}, ["elk_version is 'latest'", "8.15.5"]),
    "a digest that is none": ({"elk_image_digests": {"kibana": "abc"}}, ["elk_image_digests", "docker pull"]),
    "an archive that is not there": (
        {"elk_image_archives": ["/nonexistent.tar"]},
        ["elk_image_archives has /nonexistent.tar", "docker save"],
    ),
    "published without an address": (
        {"elk_kibana_published": True, "elk_public_url": "/kibana/"},
        ["elk_public_url is '/kibana/'", "https://assistant.example.org/kibana/"],
    ),
    "a size without a unit": ({"elk_max_total_size": "20"}, ["elk_max_total_size (20)", "20gb"]),
    "for ever": ({"elk_retention_days": 0}, ["elk_retention_days (0)", "30"]),
    "an age in words": ({"elk_rollover_max_age": "daily"}, ["elk_rollover_max_age is 'daily'", "3d"]),
    "the root of all": (
        {"elk_data_directory": "/data"},
        ["elk_data_directory (/data)", "/var/lib/ai-assistant-elk"],
    ),
    "a cron of five": ({"elk_snapshot_schedule": "30 2 * * *"}, ["elk_snapshot_schedule", "0 30 2 * * ?"]),
    "fewer objects in its own": (
        {"elk_object_kinds": ["roles"]},
        ["elk_object_kinds", "elk_elasticsearch_url"],
    ),
    "a name as the address": ({"elk_listen_address": "logs.example.org"}, ["elk_listen_address", "10.0.0.8"]),
    "an architecture without images": ({"_architecture": "riscv64"}, ["riscv64", "x86_64 and aarch64"]),
}
GOOD: dict[str, dict[str, Any]] = {
    "defaults": {},
    "without the rest": {"elk_ingest": "elasticsearch", "elk_kibana_enabled": False, "elk_reserved_mb": 6876},
    # What is there already needs no memory here, and fewer passwords.
    "an Elasticsearch of one's own": {**OWN, "elk_reserved_mb": 100000, "elk_kibana_password": ""},
    "no users there": {
        **OWN,
        **dict.fromkeys(SECRETS, ""),
        "elk_elasticsearch_user": "",
        "elk_object_kinds": ["ingest_pipelines"],
    },
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the role says to each mistake; one run of Ansible for all of them."""
    folder, results = tmp_path_factory.mktemp("mistakes"), tmp_path_factory.mktemp("said")
    tasks: list[dict[str, Any]] = []
    for name, values in {**GOOD, **{name: values for name, (values, _) in MISTAKES.items()}}.items():
        given = {**SECRETS, **values}
        facts = {**HOST, "architecture": given.pop("_architecture", HOST["architecture"])}
        tasks.append({"ansible.builtin.set_fact": {**facts, "cacheable": True}})
        tasks.append(attempt(name, "elk", given, results))
    run_tasks(folder, tasks)
    return {path.name: " ".join(path.read_text().split()) for path in results.iterdir()}


@pytest.mark.parametrize("name", GOOD)
def test_good_values_are_not_complained_about(said: dict[str, str], name: str) -> None:
    assert name not in said, said[name]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_file_and_an_example(said: dict[str, str], name: str) -> None:
    for word in [*MISTAKES[name][1], MAIN]:
        assert word in said.get(name, "nothing was said"), json.dumps(said.get(name))


def test_nothing_of_the_logging_is_wired_without_its_group() -> None:
    """Roles and playbooks that run without the group name nothing of elk's but through a default."""
    for file in (Path("playbooks/docker.yml"), Path("playbooks/preflight.yml")):
        text = (ROOT / file).read_text()
        assert "elk_elasticsearch_url | default('')" in text
