"""What an operator may get wrong about the logging host: refused before any change, with a way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.repository.project import ROOT
from tests.unit.roles.refusals import Judge, Refusals, Values
from tests.unit.roles.test_elk_files import SECRETS

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


class TestMistakes(Refusals, role="elk", file=MAIN, good=GOOD, mistakes=MISTAKES, given=SECRETS):
    """On a host that the values may have as another."""

    @classmethod
    def attempt(cls, judge: Judge, name: str, role: str, values: Values) -> None:
        values = dict(values)
        facts = {**HOST, "architecture": values.pop("_architecture", HOST["architecture"])}
        judge.tasks.append({"ansible.builtin.set_fact": {**facts, "cacheable": True}})
        super().attempt(judge, name, role, values)


def test_nothing_of_the_logging_is_wired_without_its_group() -> None:
    """Roles and playbooks that run without the group name nothing of elk's but through a default."""
    for file in (Path("playbooks/docker.yml"), Path("playbooks/preflight.yml")):
        text = (ROOT / file).read_text()
        assert "elk_elasticsearch_url | default('')" in text
