from __future__ import annotations

import copy
import itertools
import json
import re
from typing import Any

import jsonschema
import pytest

from tests.logging import kibana_objects, kibana_schema, kql
from tools.controller.cache import ROOT
from tools.kibana.__main__ import FILE, generated, main
from tools.kibana.objects import SLOW_NANOSECONDS
from tools.kibana.parts import Panel, dashboard

OBJECTS = kibana_objects.objects()
each_object = pytest.mark.parametrize("made", OBJECTS.values(), ids=list(OBJECTS))
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_the_committed_file_is_what_the_tool_makes() -> None:
    assert main(["--check"]) == 0
    assert FILE.read_text(encoding="utf-8") == generated()


def test_a_changed_file_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("tools.kibana.__main__.FILE", tmp_path / "new" / "objects.ndjson")
    assert main(["--check"]) == 1
    assert main([]) == 0
    assert main(["--check"]) == 0
    (tmp_path / "new" / "objects.ndjson").write_text("{}\n")
    assert main(["--check"]) == 1


def test_the_ids_stay_and_are_unique() -> None:
    assert len(FILE.read_text(encoding="utf-8").splitlines()) == len(OBJECTS)
    assert {"ai-assistant-logs", "ai-assistant-logs-dashboard"} < set(OBJECTS)
    kinds = [made["type"] for made in OBJECTS.values()]
    assert kinds.count("index-pattern") == kinds.count("dashboard") == 1


@each_object
def test_it_has_the_form_that_kibana_imports(made: dict[str, Any]) -> None:
    kibana_schema.check(made)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ai-assistant-sudo", lambda made: made["attributes"].pop("title")),
        ("ai-assistant-sudo", lambda made: made["attributes"].update(colums=[])),
        ("ai-assistant-sudo", lambda made: made.update(typeMigrationVersion="9.0.0")),
        (
            "ai-assistant-sudo",
            lambda made: made["attributes"]["kibanaSavedObjectMeta"].update(searchSourceJSON='{"query": ""}'),
        ),
        ("ai-assistant-chart-bans", lambda made: made["attributes"]["state"].pop("datasourceStates")),
        ("ai-assistant-logs-dashboard", lambda made: made["attributes"].update(panelsJSON='[{"type": "x"}]')),
    ],
)
def test_another_form_is_noticed(name: str, change: Any) -> None:
    made = copy.deepcopy(OBJECTS[name])
    change(made)
    with pytest.raises(jsonschema.ValidationError):
        kibana_schema.check(made)


@each_object
def test_every_reference_leads_to_an_object_that_comes_before(made: dict[str, Any]) -> None:
    before = list(itertools.takewhile(lambda name: name != made["id"], OBJECTS))
    for reference in made["references"]:
        assert reference["id"] in before, reference
        assert OBJECTS[reference["id"]]["type"] == reference["type"]


@each_object
def test_every_name_of_a_reference_is_used_once(made: dict[str, Any]) -> None:
    names = [reference["name"] for reference in made["references"]]
    attributes = made["attributes"]
    expected: list[str] = []
    if made["type"] == "search":
        source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
        expected = [source["indexRefName"]]
    if made["type"] == "lens":
        layers = attributes["state"]["datasourceStates"]["formBased"]["layers"]
        expected = [f"indexpattern-datasource-layer-{layer}" for layer in layers]
    if made["type"] == "dashboard":
        panels = json.loads(attributes["panelsJSON"])
        expected = [f"{panel['panelIndex']}:{panel['panelRefName']}" for panel in panels]
    assert names == expected


@each_object
def test_a_chart_draws_the_columns_that_it_has(made: dict[str, Any]) -> None:
    if made["type"] != "lens":
        return
    state = made["attributes"]["state"]
    layers = state["datasourceStates"]["formBased"]["layers"]
    for shown in state["visualization"]["layers"]:
        layer = layers[shown["layerId"]]
        split = shown.get("splitAccessor")
        assert layer["columnOrder"] == [*filter(None, [split]), shown["xAccessor"], *shown["accessors"]]
        assert sorted(layer["columnOrder"]) == sorted(layer["columns"])
        for column in layer["columns"].values():
            assert column["isBucketed"] == (column["operationType"] in ("date_histogram", "terms"))
            order = column["params"].get("orderBy", {}).get("columnId")
            assert order is None or order in shown["accessors"]


def mapped(properties: dict[str, Any], prefix: str = "") -> set[str]:
    """Return the fields that the component template maps, under dotted names."""
    names: set[str] = set()
    for name, mapping in properties.items():
        inside = mapping.get("properties")
        names |= mapped(inside, f"{prefix}{name}.") if inside else {prefix + name}
    return names


@each_object
def test_every_field_is_one_that_elasticsearch_knows(made: dict[str, Any]) -> None:
    if made["type"] == "dashboard":
        return
    template = json.loads(
        (ROOT / "files/elasticsearch/component_templates/ai-assistant-mappings.json").read_text()
    )
    known = mapped(template["template"]["mappings"]["properties"])
    assert len(known) > 50
    assert kibana_objects.fields(made) - known == set()


def test_nothing_overlaps_or_leaves_the_dashboard() -> None:
    panels = json.loads(OBJECTS["ai-assistant-logs-dashboard"]["attributes"]["panelsJSON"])
    places = [panel["gridData"] for panel in panels]
    assert all(place["x"] + place["w"] <= 48 for place in places)
    for one, other in itertools.combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
    shown = {reference["id"] for reference in OBJECTS["ai-assistant-logs-dashboard"]["references"]}
    assert {name for name in OBJECTS if name.startswith("ai-assistant-chart-")} < shown


def test_a_panel_that_is_too_wide_is_refused() -> None:
    panel = Panel(OBJECTS["ai-assistant-sudo"], width=49)
    with pytest.raises(ValueError, match="ai-assistant-sudo is wider than 48"):
        dashboard("a", ("b", "乙"), ("c", "丙"), [panel], "now-1h")


@each_object
def test_titles_and_descriptions_are_in_both_languages(made: dict[str, Any]) -> None:
    attributes = made["attributes"]
    name = attributes.get("name", attributes["title"])
    assert CHINESE.search(name)
    assert re.match(r"[A-Za-z ]{4}", name)
    if made["type"] != "index-pattern":
        english, _, chinese = attributes["description"].partition("\n\n")
        assert english and not CHINESE.search(english)
        assert CHINESE.search(chinese)


def test_slow_answers_begin_where_the_search_says() -> None:
    description = OBJECTS["ai-assistant-slow-answers"]["attributes"]["description"]
    assert SLOW_NANOSECONDS == 10 * 10**9
    assert "ten seconds" in description
    assert "10 秒" in description


def test_errors_have_their_correlation_id_first() -> None:
    assert OBJECTS["ai-assistant-errors"]["attributes"]["columns"][0] == "trace.id"
    assert OBJECTS["ai-assistant-message"]["attributes"]["sort"] == [["@timestamp", "asc"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"match_all": {}}),
        ("a.b : c", {"match": {"a.b": "c"}}),
        ("a : *", {"exists": {"field": "a"}}),
        ('a : "x y"', {"match_phrase": {"a": "x y"}}),
        ("a >= 10", {"range": {"a": {"gte": "10"}}}),
        ("not a : b", {"bool": {"must_not": [{"match": {"a": "b"}}]}}),
        (
            "a : (b or c)",
            {"bool": {"should": [{"match": {"a": "b"}}, {"match": {"a": "c"}}], "minimum_should_match": 1}},
        ),
        (
            "a : b or c : d and e : f",
            {
                "bool": {
                    "should": [
                        {"match": {"a": "b"}},
                        {"bool": {"filter": [{"match": {"c": "d"}}, {"match": {"e": "f"}}]}},
                    ],
                    "minimum_should_match": 1,
                }
            },
        ),
    ],
)
def test_kibanas_language_becomes_elasticsearchs(text: str, expected: dict[str, Any]) -> None:
    assert kql.query(text) == expected


@pytest.mark.parametrize("text", ["a :", "a : (b", "a b : c", "a : b and", "= 3"])
def test_what_is_not_in_kibanas_language_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        kql.query(text)
