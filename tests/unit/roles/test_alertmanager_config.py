"""Alertmanager's configuration, judged by amtool: it is accepted, and every alert goes where it belongs."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import load_yaml
from tests.unit.roles.playbook import render
from tests.unit.roles.refusals import Refusals

EMAIL: dict[str, Any] = {
    "alertmanager_email_smarthost": "smtp.example.org:587",
    "alertmanager_email_from": "alerts@example.org",
    "alertmanager_email_to": ["on-call@example.org", "second@example.org"],
    "alertmanager_email_username": "alerts@example.org",
    "alertmanager_email_password": "p\"a'ss: #%",
    "alertmanager_email_server_name": "mail.example.org",
}


def amtool(*arguments: str) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(params=[{}, EMAIL], ids=["chats", "email"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "alertmanager.yml"
    path.write_text(render(tmp_path, "alertmanager", "alertmanager.yml.j2", request.param))
    amtool("check-config", str(path))
    if request.param:
        values = load_yaml(path)
        assert values["global"]["smtp_auth_password"] == request.param["alertmanager_email_password"]
        assert [one["to"] for one in values["receivers"][0]["email_configs"]] == EMAIL[
            "alertmanager_email_to"
        ]
    return path


def test_every_alert_goes_where_it_belongs(config: Path) -> None:
    for labels, receiver in (
        (["alertname=Watchdog", "severity=none"], "watchdog"),
        (["alertname=Other", "severity=none"], "nobody"),
        (["alertname=HostDiskFull", "severity=critical"], "chats"),
        (["alertname=HostMemoryLow", "severity=warning"], "chats"),
        (["alertname=NoSeverity"], "chats"),
    ):
        assert amtool("config", "routes", "test", f"--config.file={config}", *labels) == receiver


def test_what_is_older_than_matchers_is_used(config: Path) -> None:
    """Debian 11's 0.21 does not know `matchers`, which came with 0.22."""
    assert "matchers" not in config.read_text()


MISTAKES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "for everybody": ({"alertmanager_listen_address": "0.0.0.0:9093"}, ["must be loopback"]),
    "a time without a unit": ({"alertmanager_group_wait": "10"}, ["alertmanager_group_wait must be a time"]),
    "half of email": ({"alertmanager_email_to": ["a@example.org"]}, ["email needs both"]),
    "a user without a password": ({**EMAIL, "alertmanager_email_password": ""}, ["belong together"]),
    "a sender that is none": (
        {**EMAIL, "alertmanager_email_from": "nobody"},
        ["alertmanager_email_from is 'nobody'"],
    ),
    "a release without its checksum": (
        {"alertmanager_source": "upstream", "alertmanager_checksums": {}},
        ["alertmanager_checksums has no"],
    ),
}


class TestMistakes(Refusals, role="alertmanager", good={"defaults": {}}, mistakes=MISTAKES):
    """What an operator may get wrong."""
