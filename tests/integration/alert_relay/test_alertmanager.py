"""A real Alertmanager with the role's configuration, the relay, and both emulated platforms."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.alert_relay.conftest import Chats
from tests.integration.alert_relay.process import Alertmanager, Relay
from tests.integration.app.process import until
from tests.unit.roles.playbook import render

ANNOTATIONS = ("summary_en=The disk is full", "summary_zh=磁盘已满", "runbook=docs/runbooks/HostDiskFull.md")


@pytest.fixture(scope="module")
def config_text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The role's own file with shorter times: what waits 10 s in the field waits 1 s here."""
    values = {"alertmanager_group_wait": "1s", "alertmanager_group_interval": "2s"}
    return render(tmp_path_factory.mktemp("config"), "alertmanager", "alertmanager.yml.j2", values)


@pytest.fixture
def alertmanager(
    tmp_path: Path, make_relay: Callable[..., Relay], config_text: str
) -> Iterator[tuple[Alertmanager, Relay]]:
    relay = make_relay()
    relay.start()
    document = yaml.safe_load(config_text)
    document["route"]["routes"][0].update(group_interval="1s", repeat_interval="1s")
    for receiver in document["receivers"]:
        for hook in receiver.get("webhook_configs", []):
            hook["url"] = f"{relay.url}/alerts"
    config = tmp_path / "alertmanager.yml"
    config.write_text(yaml.safe_dump(document))
    made = Alertmanager(tmp_path, config)
    made.start()
    yield made, relay
    made.kill()


def fire(one: Alertmanager, name: str, *more: str, severity: str = "critical") -> None:
    labels = ["instance=demo1", f"severity={severity}"]
    one.amtool("alert", "add", name, *labels, *more, *(f"--annotation={text}" for text in ANNOTATIONS))


def resolve(one: Alertmanager, name: str, severity: str = "critical") -> None:
    # An end in the past, in UTC, is what Prometheus sends of a resolved alert.
    document = [
        {
            "labels": {"alertname": name, "instance": "demo1", "severity": severity},
            "annotations": dict(text.split("=", 1) for text in ANNOTATIONS),
            "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": "2026-01-01T00:00:01Z",
        }
    ]
    assert one.post("/api/v2/alerts", document).status_code == 200


def test_an_alert_comes_once_and_so_does_its_end(
    alertmanager: tuple[Alertmanager, Relay], chats: Chats
) -> None:
    server, relay = alertmanager
    fire(server, "HostDiskFull")
    chats.wait_for(1)
    # Prometheus says it again every minute.
    fire(server, "HostDiskFull")
    fire(server, "HostDiskFull")
    resolve(server, "HostDiskFull")
    chats.wait_for(2)
    until("the outbox is empty", relay.drained)
    assert chats.counts() == (2, 2)
    for base in chats.both:
        firing, resolved = chats.texts(base)
        assert "firing" in firing and "磁盘已满" in firing
        assert "resolved" in resolved and "磁盘已满" in resolved


def test_a_silence_keeps_the_chats_quiet(alertmanager: tuple[Alertmanager, Relay], chats: Chats) -> None:
    server, relay = alertmanager
    server.amtool(
        "silence", "add", "alertname=HostDiskFull", "--author=me", "--comment=test", "--duration=1h"
    )
    fire(server, "HostDiskFull")
    fire(server, "CertificateExpiresSoon", severity="warning")
    chats.wait_for(1)
    until("the outbox is empty", relay.drained)
    assert "HostDiskFull" in server.amtool("alert", "query", "--silenced")
    for base in chats.both:
        (text,) = chats.texts(base)
        assert "CertificateExpiresSoon" in text


def test_consequences_are_not_said(alertmanager: tuple[Alertmanager, Relay], chats: Chats) -> None:
    server, relay = alertmanager
    fire(server, "AssistantDown")
    chats.wait_for(1)
    fire(server, "AssistantNotReady")
    fire(server, "HostDiskFull")  # the last in; when it is there, the other would be
    chats.wait_for(2)
    until("the outbox is empty", relay.drained)
    for base in chats.both:
        assert "AssistantNotReady" not in "".join(chats.texts(base))


def test_a_relay_that_was_away_gets_everything(
    alertmanager: tuple[Alertmanager, Relay], chats: Chats
) -> None:
    server, relay = alertmanager
    relay.kill()
    fire(server, "HostDiskFull")
    metric = 'alertmanager_notification_requests_failed_total{integration="webhook"}'
    until(
        "Alertmanager tried in vain",
        lambda: [
            line
            for line in server.get("/metrics").text.splitlines()
            if line.startswith(metric) and not line.endswith(" 0")
        ],
    )
    relay.start()
    chats.wait_for(1)
    until("the outbox is empty", relay.drained)
    assert chats.counts() == (1, 1)


def test_the_heartbeat_is_no_message_and_its_end_is_one(
    alertmanager: tuple[Alertmanager, Relay], chats: Chats
) -> None:
    server, relay = alertmanager
    fire(server, "Watchdog", severity="none")
    until(
        "the relay has the heartbeat",
        lambda: relay.metric('alert_relay_notifications_total{outcome="heartbeat"}') > 0,
    )
    assert chats.counts() == (0, 0)
    assert relay.metric("alert_relay_watchdog_silent") == 0
    resolve(server, "Watchdog", severity="none")  # Prometheus has not spoken for minutes
    chats.wait_for(1)
    fire(server, "Watchdog", severity="none")
    chats.wait_for(2)
    for base in chats.both:
        silent, back = chats.texts(base)
        assert "监控失联" in silent and "monitoring is silent" in silent
        assert "监控已恢复" in back
