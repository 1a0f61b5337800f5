"""The Docker engine as it runs on the machine."""

from __future__ import annotations

import json

from tests.machines_verify.machine_access import on_machine


def test_the_engine_runs_now_and_at_boot() -> None:
    assert on_machine("systemctl is-active docker && systemctl is-enabled docker").split() == [
        "active",
        "enabled",
    ]


def test_the_engine_has_taken_the_safe_settings() -> None:
    info = json.loads(on_machine("docker info --format '{{json .}}'"))
    assert info["LiveRestoreEnabled"] is True
    assert info["LoggingDriver"] == "json-file"
    settings = json.loads(on_machine("cat /etc/docker/daemon.json"))
    assert settings["no-new-privileges"] is True
    assert settings["log-opts"] == {"max-file": "5", "max-size": "10m"}


def test_nothing_is_published_to_the_network() -> None:
    ports = on_machine("docker ps --format '{{.Ports}}'").split()
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports), ports
