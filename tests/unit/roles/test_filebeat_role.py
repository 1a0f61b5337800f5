from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import render, run_tasks
from tests.unit.roles.refusals import Refusals
from tools.elastic.shipper import cached_filebeat

MAIN = "inventory/<yours>/group_vars/all/logging.yml"
PASSWORD = "a-password-of-nobody"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----"
ELASTICSEARCH: dict[str, Any] = {
    "filebeat_output": "elasticsearch",
    "filebeat_hosts": ["https://10.0.0.5:5044"],
    "filebeat_username": "ai_assistant_filebeat",
    "filebeat_password": PASSWORD,
}
Settings = dict[str, Any]


def settings(folder: Path, values: dict[str, Any]) -> Settings:
    found: Settings = yaml.safe_load(render(folder, "filebeat", "filebeat.yml.j2", values))
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings(tmp_path_factory.mktemp("plain"), {"filebeat_ca_certificate": CERTIFICATE})


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    values = {**ELASTICSEARCH, "filebeat_certificate": CERTIFICATE, "filebeat_key": KEY}
    return settings(tmp_path_factory.mktemp("direct"), values)


def inputs(found: Settings) -> dict[str, Settings]:
    return {entry["id"].removeprefix("ai-assistant-"): entry for entry in found["filebeat.inputs"]}


def test_every_source_is_read_and_each_line_has_an_identity(plain: Settings) -> None:
    found = inputs(plain)
    assert set(found) == {"app", "nginx", "journal", "fail2ban", "auditd"}
    for entry in found.values():
        identity = entry["processors"][-1]["fingerprint"]
        assert identity["target_field"] == "@metadata._id" and "message" in identity["fields"]


def test_only_wanted_sources_are_read(tmp_path: Path) -> None:
    assert set(inputs(settings(tmp_path, {"filebeat_sources": ["journal"]}))) == {"journal"}


def test_the_other_side_is_verified(plain: Settings, direct: Settings) -> None:
    logstash, elasticsearch = plain["output.logstash"]["ssl"], direct["output.elasticsearch"]["ssl"]
    assert logstash["verification_mode"] == elasticsearch["verification_mode"] == "full"
    assert logstash["certificate_authorities"] == ["/etc/filebeat/ai-assistant/ca.crt"]
    assert "certificate_authorities" not in elasticsearch
    assert elasticsearch["key"] == "/etc/filebeat/ai-assistant/client.key" and "key" not in logstash


def test_elasticsearch_gets_lines_by_data_stream_and_pipeline(plain: Settings, direct: Settings) -> None:
    output = direct["output.elasticsearch"]
    assert output["index"] == "logs-%{[data_stream.dataset]}-%{[data_stream.namespace]}"
    # Filebeat ignores the output's setting for events with @metadata, as all of ours have (their id).
    named = {"add_fields": {"target": "@metadata", "fields": {"pipeline": "ai-assistant"}}}
    assert "pipeline" not in output and named in direct["processors"]
    assert named not in plain["processors"]
    assert not [name for name in direct if name.startswith("setup.") and direct[name]]


def test_secrets_stand_in_a_file_of_their_own(tmp_path: Path, direct: Settings) -> None:
    assert PASSWORD not in json.dumps(direct)
    for values, expected in (
        (ELASTICSEARCH, {"username": "ai_assistant_filebeat", "password": PASSWORD}),
        ({**ELASTICSEARCH, "filebeat_api_key": "id:key"}, {"api_key": "id:key"}),
    ):
        login = yaml.safe_load(render(tmp_path, "filebeat", "login.yml.j2", values))
        assert login == {"output.elasticsearch": expected}
    assert yaml.safe_load(render(tmp_path, "filebeat", "login.yml.j2", {})) == {}


def test_what_waits_is_limited_and_figures_are_on_loopback(tmp_path: Path, plain: Settings) -> None:
    assert plain["queue.disk"] == {"path": "/var/lib/filebeat/queue", "max_size": "1024MB"}
    assert plain["http"]["enabled"] is False
    found = settings(tmp_path, {"filebeat_metrics_port": 5067, "filebeat_queue_mb": 50})
    assert found["http"] == {"enabled": True, "host": "127.0.0.1", "port": 5067}
    assert found["queue.disk"]["max_size"] == "50MB"


def test_the_unit_reads_and_does_nothing_else(tmp_path: Path) -> None:
    text = render(tmp_path, "filebeat", "drop_in.conf.j2", {"filebeat_memory_mb": 300})
    for line in (
        "User=filebeat",
        "CapabilityBoundingSet=CAP_DAC_READ_SEARCH",
        "MemoryMax=300M",
        "ProtectSystem=strict",
        "NoNewPrivileges=true",
        "Environment=GOMAXPROCS=1 GOMEMLIMIT=240MiB",
    ):
        assert line in text.splitlines()
    (hidden,) = [line for line in text.splitlines() if line.startswith("InaccessiblePaths=")]
    assert {"-/etc/ai-assistant", "-/etc/shadow", "-/etc/ssh"} <= set(hidden.partition("=")[2].split())


@pytest.mark.parametrize("kind", ["logstash", "elasticsearch"])
def test_filebeat_takes_the_settings(tmp_path: Path, kind: str) -> None:
    values = {**ELASTICSEARCH, "filebeat_output": kind, "filebeat_hosts": ["localhost:5044"]}
    judged, said = _judge(tmp_path, values)
    assert judged, said


def test_the_check_finds_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    judged, said = _judge(tmp_path, {**ELASTICSEARCH, "filebeat_ca_certificate": CERTIFICATE})
    assert not judged and "/etc/filebeat/ai-assistant/ca.crt" in said


def _judge(folder: Path, values: dict[str, Any]) -> tuple[bool, str]:
    """Write the role's file through the role's own check with the Filebeat that the tests have."""
    filebeat = cached_filebeat()
    if filebeat is None:
        pytest.skip("Filebeat is not built: make elastic")
    role, file = ROOT / "roles" / "filebeat", folder / "filebeat.yml"
    reading = [
        {"ansible.builtin.include_vars": str(role / part / "main.yml")} for part in ("defaults", "vars")
    ]
    writing = {
        "ansible.builtin.template": {
            "src": str(role / "templates" / "filebeat.yml.j2"),
            "dest": str(file),
            "mode": "0600",
            "validate": "{{ _filebeat_validate }}",
        },
        "ignore_errors": True,
    }
    said = run_tasks(folder, [*reading, writing], {**values, "_filebeat_program": str(filebeat.program)})
    return file.exists(), said


Mistake = tuple[dict[str, Any], list[str]]
MISTAKES: dict[str, Mistake] = {
    "a source that is none": ({"filebeat_sources": ["app", "syslog"]}, ["filebeat_sources", "journal"]),
    "no source": ({"filebeat_sources": []}, ["filebeat_sources", "[app, nginx, journal]"]),
    "a way that is none": ({"filebeat_output": "kafka"}, ["filebeat_output is 'kafka'", "elasticsearch"]),
    "an address for Logstash": (
        {"filebeat_hosts": ["https://10.0.0.5"]},
        ["filebeat_hosts", "10.0.0.5:5044"],
    ),
    "no host": ({"filebeat_hosts": []}, ["filebeat_hosts", "HOST:PORT"]),
    "plain http over the network": (
        {**ELASTICSEARCH, "filebeat_hosts": ["http://10.0.0.5:9200"]},
        ["filebeat_hosts", "https"],
    ),
    "a password in an address": (
        {**ELASTICSEARCH, "filebeat_hosts": ["https://a:b@10.0.0.5:9200"]},
        ["filebeat_hosts", "without a password"],
    ),
    "nobody for elasticsearch": (
        {**ELASTICSEARCH, "filebeat_password": ""},
        ["filebeat_password", "from the vault"],
    ),
    "two for elasticsearch": ({**ELASTICSEARCH, "filebeat_api_key": "a:b"}, ["either filebeat_username"]),
    "an encoded key": (
        {**ELASTICSEARCH, "filebeat_username": "", "filebeat_password": "", "filebeat_api_key": "YTpi"},
        ["filebeat_api_key", "ID:KEY"],
    ),
    "a password that would be replaced": (
        {**ELASTICSEARCH, "filebeat_password": "a${HOME}b"},
        ["filebeat_password", "openssl rand"],
    ),
    "a certificate without its key": (
        {"filebeat_certificate": CERTIFICATE},
        ["filebeat_certificate and filebeat_key", "client.key"],
    ),
    "a path for a text": ({"filebeat_ca_certificate": "/srv/ca.crt"}, ["PEM texts", "lookup"]),
    "a queue that is too small": ({"filebeat_queue_mb": 5}, ["filebeat_queue_mb is 5", "1024"]),
    "memory that is too small": ({"filebeat_memory_mb": 64}, ["filebeat_memory_mb is 64", "256"]),
    "a wildcard": (
        {"filebeat_nginx_log": "/var/log/nginx/*.log"},
        ["wildcards", "/var/log/nginx/access.log"],
    ),
    "a version that is none": ({"filebeat_version": "latest"}, ["filebeat_version is 'latest'", "8.15.5"]),
    "a version that is too old": (
        {"filebeat_version": "7.17.29"},
        ["filebeat_version is '7.17.29'", "8.12.0"],
    ),
    "a package that is not there": (
        {"filebeat_deb": "/nonexistent.deb"},
        ["filebeat_deb '/nonexistent.deb'"],
    ),
    "a package without its checksum": ({"filebeat_deb": __file__}, ["filebeat_deb_sha256", "sha256sum"]),
    "a short fingerprint": ({"filebeat_apt_key_fingerprint": "D88E42B4"}, ["40 hexadecimal digits"]),
    "another namespace": ({"filebeat_namespace": "my-logs"}, ["filebeat_namespace 'my-logs'", "default"]),
    "a port of the system": ({"filebeat_metrics_port": 80}, ["filebeat_metrics_port is 80", "5066"]),
}


GOOD: dict[str, dict[str, Any]] = {
    "defaults": {},
    "elasticsearch": {**ELASTICSEARCH, "filebeat_ca_certificate": CERTIFICATE},
    "a key of Elasticsearch": {
        **ELASTICSEARCH,
        "filebeat_username": "",
        "filebeat_password": "",
        "filebeat_api_key": "VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw",
    },
    "a certificate of its own": {"filebeat_certificate": CERTIFICATE, "filebeat_key": KEY},
    "IPv6": {"filebeat_hosts": ["[fd00::5]:5044", "logs.example.org:5044"]},
}


class TestMistakes(Refusals, role="filebeat", file=MAIN, good=GOOD, mistakes=MISTAKES):
    """What an operator may get wrong."""
