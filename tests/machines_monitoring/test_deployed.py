"""What watches the machine: all is scraped, nothing listens beyond loopback, and it fits a small host."""

from __future__ import annotations

import re
import time

import pytest

from tests.machines_monitoring.chats import IDS
from tests.machines_monitoring.figures import record
from tests.machines_monitoring.services import (
    ALERTMANAGER,
    PORTS,
    WATCHDOG,
    get,
    memory,
    prometheus,
    units,
    value,
)
from tests.machines_verify.machine_access import INFO, eventually, on_machine

JOBS = {"assistant", "node", "blackbox", "prometheus", "alertmanager", "alert_relay"}
BAR_MB = 400.0


def unhealthy() -> dict[str, str]:
    """Return what Prometheus cannot scrape, with the reason."""
    return {
        f"{target['labels']['job']} {target['scrapeUrl']}": target["lastError"] or target["health"]
        for target in prometheus("targets", state="active")["activeTargets"]
        if target["health"] != "up"
    }


def test_every_target_is_up() -> None:
    assert eventually(lambda: not unhealthy(), 180, pause=5), unhealthy()
    jobs = {target["labels"]["job"] for target in prometheus("targets", state="active")["activeTargets"]}
    assert jobs >= JOBS


def test_the_public_address_is_probed_with_its_certificate() -> None:
    assert eventually(lambda: value('probe_success{job="blackbox"}') == 1.0, 120, pause=5)
    ends = value('probe_ssl_earliest_cert_expiry{job="blackbox"}')
    assert ends is not None
    assert ends > time.time() + 14 * 86400


def test_the_assistants_own_figures_are_there() -> None:
    assert eventually(lambda: value('assistant_ready{job="assistant"}') == 1.0, 180, pause=5)


def test_every_rule_is_evaluated_without_an_error() -> None:
    def wrong() -> dict[str, str]:
        rules = [rule for group in prometheus("rules")["groups"] for rule in group["rules"]]
        assert rules
        return {
            rule["name"]: rule.get("lastError") or rule["health"] for rule in rules if rule["health"] != "ok"
        }

    assert eventually(lambda: not wrong(), 120, pause=5), wrong()


def test_alertmanager_has_the_watchdog() -> None:
    def watchdogs() -> list[dict[str, object]]:
        alerts = get(f"{ALERTMANAGER}/api/v2/alerts")
        return [alert for alert in alerts if alert["labels"]["alertname"] == WATCHDOG]

    assert eventually(lambda: len(watchdogs()) == 1, 180, pause=5)


@pytest.mark.parametrize("port", PORTS)
def test_it_listens_on_loopback_alone(port: int) -> None:
    listed = on_machine(f"ss -Hltn 'sport = :{port}'")
    addresses = {line.split()[3].rsplit(":", 1)[0] for line in listed.splitlines()}
    assert addresses, f"{PORTS[port]} does not listen on port {port}"
    assert addresses <= {"127.0.0.1", "[::1]"}


def test_their_programs_listen_nowhere_else() -> None:
    """Alertmanager's cluster port, for one, is open to all by default, over UDP too."""
    services = {unit: name for name, unit in units().items()}
    assert set(PORTS.values()) <= set(services.values())
    beyond = {}
    for line in on_machine("ss -Hlntup").splitlines():
        address, process = line.split()[4], re.search(r"pid=(\d+)", line)
        if process is None or address.startswith(("127.", "[::1]")):
            continue
        unit = re.search(r"/([^/\n]+\.service)", on_machine(f"cat /proc/{process[1]}/cgroup"))
        if unit and unit[1] in services:
            beyond[f"{services[unit[1]]} {line.split()[0]}"] = address
    assert beyond == {}


def test_what_it_holds_in_memory() -> None:
    held = memory()
    assert set(PORTS.values()) <= held.keys()
    small = {name: found for name, found in held.items() if name != "grafana"}
    figures: dict[str, float] = {"monitoring_bar_mb": BAR_MB}
    for name, found in held.items():
        figures[f"{name}_rss_mb"] = round(found.resident / 1e6, 1)
        figures[f"{name}_pss_mb"] = round(found.shared_out / 1e6, 1)
    figures["monitoring_rss_mb"] = round(sum(found.resident for found in small.values()) / 1e6, 1)
    figures["monitoring_pss_mb"] = round(sum(found.shared_out for found in small.values()) / 1e6, 1)
    if "grafana" in held:
        figures["monitoring_with_grafana_rss_mb"] = round(sum(f.resident for f in held.values()) / 1e6, 1)
        figures["monitoring_with_grafana_pss_mb"] = round(sum(f.shared_out for f in held.values()) / 1e6, 1)
    record(figures)


def test_secrets_are_in_no_command_line_and_in_no_page() -> None:
    secrets = [IDS["feishu"], IDS["feishu_secret"], INFO["telegram"]["bot_token"]]
    shown = {
        "ps": on_machine("ps auxeww"),
        "Prometheus": str(prometheus("status/config")),
        "Alertmanager": str(get(f"{ALERTMANAGER}/api/v2/status")),
        "the journal": on_machine(f"journalctl -q -b --no-pager -u {units()['alert_relay']}"),
    }
    assert {name for name, text in shown.items() if any(secret in text for secret in secrets)} == set()
