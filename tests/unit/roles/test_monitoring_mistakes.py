"""What an operator may get wrong about the monitoring: refused before any change, with a way out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tests.unit.roles.refusals import Refusals

MAIN = "inventory/<yours>/group_vars/monitoring/main.yml"
UPSTREAM = {"node_exporter_source": "upstream"}
Mistake = tuple[str, dict[str, Any], list[str]]
MISTAKES: dict[str, Mistake] = {
    "an exporter for everybody": (
        "node_exporter",
        {"node_exporter_listen_address": "0.0.0.0:9100"},
        ["node_exporter_listen_address", "every address", "10.0.0.5:9100"],
    ),
    "an exporter without a port": (
        "node_exporter",
        {"node_exporter_listen_address": "127.0.0.1"},
        ["node_exporter_listen_address is '127.0.0.1'", "127.0.0.1:9100"],
    ),
    "a collector that is an option": (
        "node_exporter",
        {"node_exporter_collectors": ["--no-collector.cpu"]},
        ["node_exporter_collectors", "[cpu, filesystem, meminfo]"],
    ),
    "a source that is none": (
        "node_exporter",
        {"node_exporter_source": "docker"},
        ["node_exporter_source is 'docker'", "distribution"],
    ),
    "a release without its checksum": (
        "node_exporter",
        {**UPSTREAM, "node_exporter_checksums": {}},
        ["node_exporter_checksums", "sha256sums.txt"],
    ),
    "a version that is none": (
        "node_exporter",
        {**UPSTREAM, "node_exporter_version": "latest"},
        ["node_exporter_version is 'latest'", "1.8.2"],
    ),
    "an archive that is not there": (
        "node_exporter",
        {**UPSTREAM, "node_exporter_archive": "/nonexistent.tar.gz"},
        ["node_exporter_archive '/nonexistent.tar.gz'", "https://mirror.example.org/"],
    ),
    "another archive": (
        "node_exporter",
        {**UPSTREAM, "node_exporter_archive": str(Path(__file__))},
        [
            "node_exporter_checksums",
            hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
            "another version",
        ],
    ),
    "a prober for everybody": (
        "blackbox_exporter",
        {"blackbox_exporter_listen_address": "10.0.0.5:9115"},
        ["blackbox_exporter_listen_address", "loopback", "127.0.0.1:9115"],
    ),
    "a module of its own name": (
        "blackbox_exporter",
        {"blackbox_exporter_extra_modules": {"http_2xx": {"prober": "tcp"}}},
        ["blackbox_exporter_extra_modules has http_2xx"],
    ),
    "Prometheus for everybody": (
        "prometheus",
        {"prometheus_listen_address": "0.0.0.0:9090"},
        ["prometheus_listen_address", "password", "127.0.0.1:9090"],
    ),
    "a time without a unit": (
        "prometheus",
        {"prometheus_retention_time": "30"},
        ["prometheus_retention_time is '30'", "30d"],
    ),
    "a size in words": (
        "prometheus",
        {"prometheus_retention_size": "2 gigabytes"},
        ["prometheus_retention_size", "2GB"],
    ),
    "too little memory": ("prometheus", {"prometheus_memory_mb": 64}, ["prometheus_memory_mb is 64", "256"]),
    "a target that is an address of a page": (
        "prometheus",
        {"prometheus_nodes": {"one": "http://127.0.0.1:9100/metrics"}},
        ["http://127.0.0.1:9100/metrics", "prometheus_nodes", "127.0.0.1:9100"],
    ),
    "a probe without https": (
        "prometheus",
        {"prometheus_probes": [{"instance": "one", "url": "/healthz"}]},
        ["prometheus_probes has /healthz", "https://assistant.example.org/healthz"],
    ),
    "rules that are not there": (
        "prometheus",
        {"prometheus_extra_rule_files": ["/nonexistent.yml"]},
        ["prometheus_extra_rule_files has /nonexistent.yml", "/srv/rules/mine.yml"],
    ),
}
GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "node_exporter": ("node_exporter", {"node_exporter_listen_address": "[fd00::5]:9100"}),
    "the release of the defaults": ("node_exporter", UPSTREAM),
    "blackbox_exporter": ("blackbox_exporter", {}),
    "prometheus": ("prometheus", {}),
}


class TestMistakes(Refusals, file=MAIN, good=GOOD, mistakes=MISTAKES):
    """The mistakes in all of these roles."""
