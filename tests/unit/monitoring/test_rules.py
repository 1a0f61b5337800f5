"""promtool runs what stands in rules/; the rest holds for every rule, whoever adds one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.repository.project import ROOT

RULES = sorted((ROOT / "files/prometheus/rules").glob("*.yml"))
TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))
RUNBOOKS = ROOT / "docs/runbooks"
SEVERITIES = {"critical", "warning", "none"}
ANNOTATIONS = {"summary_en", "summary_zh", "description_en", "description_zh", "runbook"}
ALWAYS = "Watchdog"  # It has no case in which it does not fire.
# What other programs publish: Prometheus itself (up), node_exporter's filesystem and meminfo collectors, the
# blackbox exporter's HTTP prober, role evaluation's textfile, and the project's relay.
OTHERS = {
    "up",
    "node_filesystem_avail_bytes",
    "node_filesystem_free_bytes",
    "node_filesystem_readonly",
    "node_filesystem_size_bytes",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "probe_ssl_earliest_cert_expiry",
    "probe_success",
    "ai_assistant_evaluation_failed",
    "alert_relay_messages_total",
    "alert_relay_oldest_waiting_seconds",
}
# Prometheus 2.31 does not know these: keep_firing_for came with 2.42, the modifier @ was behind a flag.
TOO_NEW = re.compile(r"\bkeep_firing_for\b|[\])} ]@ *[\d(s]|\blimitk\b|\binfo\(|\bsort_by_label\b")


def rules_of(path: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALL = [rule for path in RULES for rule in rules_of(path)]
ALERTS = {rule["alert"]: rule for rule in ALL if "alert" in rule}


def cases(alert: str) -> list[dict[str, Any]]:
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in TESTS]
    return [
        case
        for document in documents
        for test in document["tests"]
        for case in test.get("alert_rule_test", [])
        if case["alertname"] == alert
    ]


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_every_file() -> None:
    assert promtool("check", "rules", *RULES).count("SUCCESS") == len(RULES) > 0


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", path)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_order_of_the_groups_is_given(path: Path) -> None:
    # Without it promtool takes them in a random order, and an alert sees a recorded figure now or 15 s later.
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    files = [path.parent / name for name in document["rule_files"]]
    groups = [
        group["name"]
        for file in files
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    ]
    assert document.get("group_eval_order", groups if len(groups) == 1 else []) == groups


def test_names_are_used_once() -> None:
    names = [rule.get("alert") or rule["record"] for rule in ALL]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_prometheus_2_31_knows_all_of_it(path: Path) -> None:
    text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
    assert not TOO_NEW.findall(text)


@pytest.mark.parametrize("alert", ALERTS)
class TestAlert:
    def test_there_is_a_case_in_which_it_fires_and_one_in_which_not(self, alert: str) -> None:
        assert any(case["exp_alerts"] for case in cases(alert)), "nothing shows that it fires"
        assert alert == ALWAYS or any(not case["exp_alerts"] for case in cases(alert)), (
            "nothing keeps it quiet"
        )

    def test_it_says_what_is_wrong_in_both_languages(self, alert: str) -> None:
        texts = ALERTS[alert]["annotations"]
        assert set(texts) == ANNOTATIONS
        for name, text in texts.items():
            assert text.strip()
            assert bool(re.search(r"[\u4e00-\u9fff]", text)) == name.endswith("_zh"), f"{name}: {text}"

    def test_its_severity_is_one_that_is_routed(self, alert: str) -> None:
        assert ALERTS[alert]["labels"]["severity"] in SEVERITIES
        assert (ALERTS[alert]["labels"]["severity"] == "none") == (alert == ALWAYS)

    def test_its_page_begins_with_its_name_and_a_chinese_summary(self, alert: str) -> None:
        assert ALERTS[alert]["annotations"]["runbook"] == f"docs/runbooks/{alert}.md"
        lines = (RUNBOOKS / f"{alert}.md").read_text(encoding="utf-8").splitlines()
        assert lines[0] == f"# {alert}"
        assert re.search(r"[\u4e00-\u9fff]", lines[2])
        severity = ALERTS[alert]["labels"]["severity"]
        assert any(f"Severity: {severity}." in line for line in lines)
        row = f"| [{alert}]({alert}.md) | {severity} | {lines[2]} |"
        assert row in (RUNBOOKS / "README.md").read_text(encoding="utf-8").splitlines()


def test_no_page_is_left_of_an_alert_that_is_gone() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(ALERTS)


def used_metrics(expression: str) -> set[str]:
    bare = re.sub(r'"[^"]*"|\[[^]]*\]', "", expression)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right) *\([^)]*\)", "", bare)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    words = set(re.findall(r"(?<![\w:.])[a-zA-Z_][\w:]*(?! *\()(?![\w:])", bare))
    return words - {"and", "or", "unless", "bool", "by", "on", "offset"}


def test_every_metric_is_one_that_somebody_publishes() -> None:
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    ours = set(re.findall(r"\bassistant_[a-z0-9_]+", page))
    known = OTHERS | ours | {f"{name}_{end}" for name in ours for end in ("bucket", "count", "sum")}
    known |= {rule["record"] for rule in ALL if "record" in rule}
    used = {name for rule in ALL for name in used_metrics(str(rule["expr"]))}
    assert used - known == set()
    assert used >= {"assistant_messages_total", "up", "assistant:error_ratio"}
