from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import yaml

from tests.monitoring_queries import MAY_BE_EMPTY, WITHOUT_PUBLIC_ADDRESS, dashboards, panels, substituted
from tools.dashboards import limits
from tools.dashboards.__main__ import FOLDER, generated, main
from tools.dashboards.parts import REPORTS

BOARDS = {board["uid"]: board for board in dashboards()}
each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
SOURCE = {"type": "prometheus", "uid": "prometheus"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_the_committed_files_are_what_the_tool_makes() -> None:
    assert main(["--check"]) == 0
    assert {path.name for path in FOLDER.glob("*.json")} == set(generated())


def test_a_changed_file_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("tools.dashboards.__main__.FOLDER", tmp_path)
    assert main([]) == 0
    assert main(["--check"]) == 0
    (tmp_path / "host.json").write_text("{}")
    assert main(["--check"]) == 1


def test_the_addresses_of_the_dashboards_stay() -> None:
    assert set(BOARDS) == {"assistant-overview", "assistant-inference", "assistant-host", "assistant-canary"}


@each_board
def test_numbers_and_titles_are_unique(board: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))
    titles = [panel["title"] for panel in panels(board)]
    assert len(titles) == len(set(titles))


@each_board
def test_nothing_overlaps_or_leaves_the_grid(board: dict[str, Any]) -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in board["panels"]]
    for title, place in places:
        assert place["w"] > 0 and place["h"] > 0 and place["x"] + place["w"] <= 24, title
    for (title, one), (other_title, other) in itertools.combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, f"{title} and {other_title}"


@each_board
def test_every_panel_says_what_it_shows(board: dict[str, Any]) -> None:
    for panel in panels(board):
        title = panel["title"]
        english, _, chinese = panel["description"].partition("\n\n")
        assert title and english and not CHINESE.search(english), title
        assert CHINESE.search(chinese), title
        assert panel["datasource"] == SOURCE, title
        assert panel["fieldConfig"]["defaults"]["unit"], title
        assert panel["targets"] and panel["options"], title
        assert all(target["datasource"] == SOURCE and target["expr"] for target in panel["targets"]), title
        references = [target["refId"] for target in panel["targets"]]
        assert len(references) == len(set(references)), title


@each_board
def test_the_frame_has_all_that_a_reader_needs(board: dict[str, Any]) -> None:
    assert board.get("id") is None, (
        "Grafana gives the number; a file with one may overwrite another dashboard"
    )
    assert not board["editable"]
    assert CHINESE.search(board["description"])
    assert [variable["name"] for variable in board["templating"]["list"]] == ["instance"]
    tags = {tuple(link["tags"]) for link in board["links"] if link["type"] == "dashboards"}
    assert tags == {("ai-assistant",), ("ai-assistant-runbooks",)}
    assert [link["url"] for link in board["links"] if link["type"] == "link"] == [REPORTS]
    # 10.1's form; Grafana 10 to 12 bring older ones up to their own, and refuse none.
    assert board["schemaVersion"] == 36


@each_board
def test_rates_use_the_interval_that_fits_the_zoom(board: dict[str, Any]) -> None:
    for panel in panels(board):
        for target in panel["targets"]:
            windows = re.findall(r"rate\([^\[\]]*\[([^\]]+)\]", target["expr"])
            assert all(window == "$__rate_interval" for window in windows), panel["title"]
            assert "$__interval" not in target["expr"], panel["title"]


@each_board
def test_the_selected_hosts_are_the_shown_ones(board: dict[str, Any]) -> None:
    # What is about the monitoring itself, or seen from outside, belongs to no host.
    everywhere = re.compile(r"probe_|^min by \(job\) \(up\)$")
    for panel in panels(board):
        for target in panel["targets"]:
            assert "$instance" in target["expr"] or everywhere.search(target["expr"]), target["expr"]


def test_lines_are_drawn_where_the_mission_has_its_limits() -> None:
    def line(uid: str, title: str) -> Any:
        panel = next(panel for panel in panels(BOARDS[uid]) if panel["title"] == title)
        return panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"]

    assert line("assistant-overview", "Latency: acknowledgement") == 0.5
    assert line("assistant-overview", "Latency: known answers") == 0.5
    assert line("assistant-inference", "Time to first token") == 1.2
    assert line("assistant-overview", "Errors: share that failed") == 0.05
    assert line("assistant-overview", "Requests finished") == 15
    assert line("assistant-overview", "Model loads that succeed") == 0.999
    assert line("assistant-host", "Space used") == 0.85


@pytest.mark.parametrize(
    ("alert", "condition"),
    [
        ("AssistantErrorRateHigh", f"assistant:error_ratio > {limits.ERROR_RATIO:g} "),
        ("AssistantLatencyHigh", f"assistant:ack_seconds:p99_5m > {limits.ACK_SECONDS:g} "),
        ("AssistantLatencyHigh", f"assistant:cached_answer_seconds:p99_5m > {limits.ACK_SECONDS:g} "),
        ("HostDiskFull", f") > {limits.DISK_RATIO:g} "),
        ("HostMemoryLow", f" < {1 - limits.HOST_MEMORY_RATIO:g} "),
        ("AssistantMemoryHigh", f" > {limits.MEMORY_RATIO:g} "),
        ("AssistantBacklog", f" > {limits.OLDEST_SECONDS:g} "),
        ("CertificateExpiresSoon", f" < {limits.CERTIFICATE_DAYS:g} * 86400 "),
        ("AssistantModelLoadFailing", f"ratio30d < {limits.LOAD_RATIO:g} "),
        ("AssistantThroughputLow", f" < {limits.REQUESTS_PER_SECOND:g} "),
        ("AssistantAvailabilityBurnFast", f" > {limits.BURN_FAST:g} * {1 - limits.AVAILABILITY:g} "),
    ],
)
def test_lines_are_drawn_where_the_alerts_begin(alert: str, condition: str) -> None:
    rules = [
        rule
        for path in (FOLDER.parents[1] / "prometheus" / "rules").glob("*.yml")
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if rule.get("alert") == alert
    ]
    assert len(rules) == 1
    assert condition in " ".join(rules[0]["expr"].split()) + " "


def test_every_excuse_is_for_a_query_that_there_is() -> None:
    names = {f"{board['uid']}/{panel['title']}" for board in BOARDS.values() for panel in panels(board)}
    full = {
        f"{board['uid']}/{panel['title']}/{target['refId']}"
        for board in BOARDS.values()
        for panel in panels(board)
        for target in panel["targets"]
    }
    assert not set(MAY_BE_EMPTY | WITHOUT_PUBLIC_ADDRESS) - names - full


@pytest.mark.parametrize(
    ("expression", "filled"),
    [
        ("rate(a[$__rate_interval])", "rate(a[60s])"),
        ("rate(a[${__rate_interval}])", "rate(a[60s])"),
        ("increase(a[$__range])", "increase(a[3600s])"),
        ('a{instance=~"$instance"}', 'a{instance=~".*"}'),
        ('a{instance=~"${instance:regex}"}', 'a{instance=~".*"}'),
        ('a{b=~"x$"}', 'a{b=~"x$"}'),
    ],
)
def test_variables_are_filled_in_as_grafana_does(expression: str, filled: str) -> None:
    assert substituted(expression, step=15, shown=3600, scrape=15, values={"instance": ".*"}) == filled


def test_a_rate_covers_the_step_and_one_scrape_more() -> None:
    assert substituted("$__rate_interval", step=300, shown=3600, scrape=15, values={}) == "315s"


def test_an_unknown_variable_is_refused() -> None:
    with pytest.raises(ValueError, match="hsot"):
        substituted('a{instance="$hsot"}', step=15, shown=3600, scrape=15, values={})
