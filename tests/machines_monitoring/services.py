"""Prometheus, Alertmanager and what runs beside them, asked on the machine: they listen on loopback alone.

Sources: https://prometheus.io/docs/prometheus/latest/querying/api,
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml, proc(5) for smaps_rollup.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.machines_verify.machine_access import on_machine

PROMETHEUS = "http://127.0.0.1:9090"
ALERTMANAGER = "http://127.0.0.1:9093"
PORTS = {
    9090: "prometheus",
    9093: "alertmanager",
    9100: "node_exporter",
    9115: "blackbox_exporter",
    9087: "alert_relay",
}
GRAFANA_PORT = 3000
WATCHDOG = "Watchdog"

_GET = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=30).read().decode())"

# For each unit: processes, resident and proportional bytes. Written for the machine's own Python.
_MEMORY = r"""
import json, pathlib, re
units = {}
for process in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        unit = re.search(r"/([^/\n]+\.service)", (process / "cgroup").read_text())
        text = (process / "smaps_rollup").read_text()
    except (OSError, ProcessLookupError):
        continue
    if unit:
        kept = units.setdefault(unit.group(1), [0, 0, 0])
        kept[0] += 1
        for place, key in ((1, "Rss"), (2, "Pss")):
            found = re.search(rf"^{key}:\s+(\d+) kB", text, re.M)
            kept[place] += int(found.group(1)) * 1024 if found else 0
print(json.dumps(units))
"""


@dataclass(frozen=True)
class Memory:
    """What a service's processes hold, in bytes; ``shared_out`` counts a shared page in parts (Pss)."""

    resident: int
    shared_out: int


def get(url: str) -> Any:
    """Fetch a JSON document on the machine."""
    return json.loads(on_machine(f"python3 -c {shlex.quote(_GET)} {shlex.quote(url)}"))


def prometheus(path: str, **parameters: str) -> Any:
    """Ask Prometheus's API and return ``data``."""
    answer = get(f"{PROMETHEUS}/api/v1/{path}" + (f"?{urlencode(parameters)}" if parameters else ""))
    assert answer["status"] == "success", answer
    return answer["data"]


def value(query: str) -> float | None:
    """Return the value of an instant query that has one series; None where it has none."""
    result = prometheus("query", query=query)["result"]
    assert len(result) <= 1, f"{query}: {result}"
    return float(result[0]["value"][1]) if result else None


def firing() -> set[str]:
    """Return the names of the alerts that fire in Prometheus, without the watchdog."""
    return {name for name, state in alert_states() if state == "firing"}


def alert_states() -> set[tuple[str, str]]:
    """Return name and state (pending, firing) of every active alert in Prometheus, without the watchdog."""
    return {
        (alert["labels"]["alertname"], alert["state"])
        for alert in prometheus("alerts")["alerts"]
        if alert["labels"]["alertname"] != WATCHDOG
    }


def fired_between(begun: float, ended: float) -> set[str]:
    """Return the names of the alerts that fired at any time between two moments (seconds since 1970)."""
    data = prometheus(
        "query_range",
        query=f'ALERTS{{alertstate="firing",alertname!="{WATCHDOG}"}}',
        start=f"{begun:.3f}",
        end=f"{ended:.3f}",
        step="15",
    )
    return {series["metric"]["alertname"] for series in data["result"]}


def units() -> dict[str, str]:
    """Return the systemd unit behind each service that listens on one of the known ports: name -> unit."""
    found = {}
    for port, name in {**PORTS, GRAFANA_PORT: "grafana"}.items():
        listed = on_machine(f"ss -Hltnp 'sport = :{port}'")
        process = re.search(r"pid=(\d+)", listed)
        if process:
            group = on_machine(f"cat /proc/{process[1]}/cgroup")
            unit = re.search(r"/([^/\n]+\.service)", group)
            assert unit, f"{name}: not a service: {group}"
            found[name] = unit[1]
    return found


def memory() -> dict[str, Memory]:
    """Return what each of the monitoring's services holds."""
    measured = json.loads(on_machine(f"python3 -c {shlex.quote(_MEMORY)}"))
    return {name: Memory(*measured[unit][1:]) for name, unit in units().items()}
