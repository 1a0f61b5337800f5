"""The files of the monitoring's daemons, judged by the programs that read them."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks

UNITS = {
    "node_exporter": "prometheus-node-exporter",
    "blackbox_exporter": "prometheus-blackbox-exporter",
    "prometheus": "prometheus",
}
TARGETS = {
    "prometheus_assistants": {"one": "127.0.0.1:8000", "two": "[2001:db8::7]:9101"},
    "prometheus_nodes": {"one": "127.0.0.1:9100"},
    "prometheus_probes": [
        {"instance": "one", "url": "https://assistant.example.org/healthz"},
        {"instance": "one", "url": "https://assistant.example.org/healthz", "module": "http_2xx_ipv6"},
    ],
    "prometheus_grafana_address": "127.0.0.1:3000",
    "prometheus_grafana_metrics_path": "/grafana/metrics",
    "prometheus_external_labels": {"site": "shanghai"},
    "prometheus_extra_scrape_configs": [
        {"job_name": "mine", "static_configs": [{"targets": ["127.0.0.1:9999"]}]}
    ],
}


CHANGED = {
    **{f"{role}_source": "upstream" for role in UNITS},
    **{f"{role}_version": "9.8.7" for role in UNITS},
    **{f"{role}_memory_mb": 200 for role in UNITS},
    **TARGETS,
    "node_exporter_ignored_filesystems": '^(a|50%)$ "\\d"',
    "blackbox_exporter_verify_certificates": False,
    "blackbox_exporter_extra_modules": {"ssh": {"prober": "tcp", "timeout": "5s"}},
}


def render_all(folder: Path, values: dict[str, Any]) -> Path:
    """Render what the roles write into ``folder``, all in one run of Ansible; returns the folder."""
    (folder / "rules").mkdir()
    for rules in (ROOT / "files/prometheus/rules").glob("*.yml"):
        shutil.copy(rules, folder / "rules")
    roles = ROOT / "roles"
    files = ["daemon/vars", *(f"{role}/{place}" for role in UNITS for place in ("defaults", "vars"))]
    tasks: list[dict[str, Any]] = [
        {"ansible.builtin.include_vars": str(roles / file / "main.yml")} for file in files
    ]
    written = {f"{unit}.service": ("daemon/templates/unit.j2", role) for role, unit in UNITS.items()}
    written["blackbox.yml"] = ("blackbox_exporter/templates/blackbox.yml.j2", "blackbox_exporter")
    written["prometheus.yml"] = ("prometheus/templates/prometheus.yml.j2", "prometheus")
    for name, (template, role) in written.items():
        template_task = {"src": str(roles / template), "dest": str(folder / name), "mode": "0600"}
        own = {"daemon_spec": f"{{{{ _{role}_daemon }}}}", "role_path": str(roles / role)}
        tasks.append({"ansible.builtin.template": template_task, "vars": own})
    run_tasks(folder, tasks, {"_prometheus_rules": str(folder / "rules"), **values})
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_all(tmp_path_factory.mktemp("plain"), {})


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_all(tmp_path_factory.mktemp("changed"), CHANGED)


@pytest.fixture(params=["plain", "changed"])
def either(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue(request.param)
    return folder


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="no Prometheus here")
needs_blackbox = pytest.mark.skipif(
    shutil.which("prometheus-blackbox-exporter") is None, reason="no blackbox exporter here"
)


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


@needs_systemd
@pytest.mark.parametrize("unit", UNITS.values())
def test_systemd_takes_the_unit(tmp_path: Path, either: Path, unit: str) -> None:
    text = (either / f"{unit}.service").read_text()
    # The program and its user need not be on the controller.
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
    (tmp_path / f"{unit}.service").write_text(text)
    done = _run("systemd-analyze", "verify", "--man=no", tmp_path / f"{unit}.service")
    assert f"{unit}.service" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def test_a_command_line_reaches_the_program_as_it_is_meant(changed: Path) -> None:
    text = (changed / "prometheus-node-exporter.service").read_text()
    # systemd(5) puts $$ and %% back, and reads \\ and \" in quotes.
    assert '"--collector.filesystem.fs-types-exclude=^(a|50%%)$$ \\"\\\\d\\""' in text


@pytest.mark.parametrize(("role", "unit"), UNITS.items())
def test_an_upstream_release_is_run_from_its_own_folder(changed: Path, role: str, unit: str) -> None:
    text = (changed / f"{unit}.service").read_text()
    assert f"ExecStart=/opt/ai-assistant/{role}-9.8.7/{role} " in text
    assert "MemoryMax=200M\n" in text
    assert "GOMEMLIMIT=160MiB\n" in text


@pytest.mark.parametrize("unit", UNITS.values())
def test_a_package_is_run_by_its_name(plain: Path, unit: str) -> None:
    assert f"ExecStart=/usr/bin/{unit} " in (plain / f"{unit}.service").read_text()


@needs_blackbox
def test_the_blackbox_exporter_takes_its_modules(either: Path) -> None:
    file = either / "blackbox.yml"
    done = _run("prometheus-blackbox-exporter", "--config.check", f"--config.file={file}")
    assert done.returncode == 0, done.stderr
    trusting = f"insecure_skip_verify: {json.dumps(either.name.startswith('changed'))}"
    assert file.read_text().count(trusting) == 3


@needs_prometheus
def test_promtool_takes_the_configuration(either: Path) -> None:
    done = _run("promtool", "check", "config", either / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def targets(changed: Path) -> Iterator[list[dict[str, Any]]]:
    """What a real Prometheus makes of the configuration."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["prometheus", f"--config.file={changed}/prometheus.yml", f"--storage.tsdb.path={changed}/data"]
    with (changed / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            found: list[dict[str, Any]] = []
            until = time.monotonic() + 60
            while not found and time.monotonic() < until and process.poll() is None:
                try:
                    with urllib.request.urlopen(
                        f"http://127.0.0.1:{port}/api/v1/targets", timeout=5
                    ) as answer:
                        found = json.load(answer)["data"]["activeTargets"]
                except OSError:
                    pass
                time.sleep(0.2)
            assert found, (changed / "log").read_text()
            yield found
        finally:
            process.terminate()
            process.wait(30)


@needs_prometheus
def test_jobs_and_instances_are_those_that_rules_and_dashboards_name(targets: list[dict[str, Any]]) -> None:
    seen = {(target["labels"]["job"], target["labels"]["instance"]) for target in targets}
    ours = {"prometheus", "alertmanager", "alert_relay", "grafana"}
    assert {(job, name) for job, name in seen if job not in ours} == {
        ("assistant", "one"),
        ("assistant", "two"),
        ("node", "one"),
        ("blackbox", "one"),
        ("mine", "127.0.0.1:9999"),
    }
    assert {job for job, name in seen if name == "localhost"} == ours


@needs_prometheus
def test_a_probe_asks_the_exporter_for_the_public_address(targets: list[dict[str, Any]]) -> None:
    probes = [target for target in targets if target["labels"]["job"] == "blackbox"]
    url = "https%3A%2F%2Fassistant.example.org%2Fhealthz"
    assert {target["scrapeUrl"] for target in probes} == {
        f"http://127.0.0.1:9115/probe?module={module}&target={url}"
        for module in ("http_2xx", "http_2xx_ipv6")
    }
    assert {target["labels"]["target"] for target in probes} == {"https://assistant.example.org/healthz"}


@needs_prometheus
def test_grafana_is_asked_below_its_path(targets: list[dict[str, Any]]) -> None:
    (grafana,) = [target for target in targets if target["labels"]["job"] == "grafana"]
    assert grafana["scrapeUrl"] == "http://127.0.0.1:3000/grafana/metrics"
