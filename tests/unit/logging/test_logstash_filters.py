"""The interpreter's second half: what the filters do, by their documentation and Ruby's ways."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.logging.logstash.event import Event, EventError
from tests.logging.logstash.grok import Pattern, definitions
from tests.logging.logstash.language import PipelineError, parse
from tests.logging.logstash.pipeline import Pipeline

PATTERNS = {
    "WORD": r"\w+",
    "NUMBER": r"\d+",
    "PAIR": "%{WORD:[a][name]}=%{NUMBER:[a][value]:int}",
    "ALL": "(?m:.*)",
}


def run(filters: str, fields: dict[str, Any]) -> dict[str, Any] | None:
    event = Pipeline(parse(f"filter {{ {filters} }}", "x.conf"), PATTERNS).run(fields)
    return event.sent() if event else None


@pytest.mark.parametrize(
    ("filters", "fields", "expected"),
    [
        # grok
        (
            'grok { match => { "m" => "^%{WORD:w} %{NUMBER:[n][x]:int}$" } }',
            {"m": "abc 7"},
            {"m": "abc 7", "w": "abc", "n.x": 7},
        ),
        ('grok { match => { "m" => "%{PAIR}" } }', {"m": "k=5"}, {"m": "k=5", "a.name": "k", "a.value": 5}),
        ('grok { match => { "m" => ["x(?<y>.)", "a(?<y>.)"] } }', {"m": "ab"}, {"m": "ab", "y": "b"}),
        ('grok { match => { "m" => "z" } }', {"m": "a"}, {"m": "a", "tags": ["_grokparsefailure"]}),
        ('grok { match => { "m" => "z" } tag_on_failure => [] }', {"m": "a"}, {"m": "a"}),
        ('grok { match => { "m" => "(?<e>q*)a" } }', {"m": "a"}, {"m": "a"}),
        ('grok { match => { "m" => "a(?<m>.)" } overwrite => ["m"] }', {"m": "ab"}, {"m": "b"}),
        (
            'grok { match => { "m" => "^b$" } add_field => { "f" => "1" } }',
            {"m": "a\nb\nc"},
            {"m": "a\nb\nc", "f": "1"},
        ),
        ('grok { match => { "m" => "^%{ALL:all}" } }', {"m": "a\nb"}, {"m": "a\nb", "all": "a\nb"}),
        (
            'grok { break_on_match => false match => { "m" => ["a(?<x>.)", "c(?<y>.)", "e(?<z>.)"] } }',
            {"m": "abcd"},
            {"m": "abcd", "x": "b", "y": "d"},
        ),
        # json and date
        (
            'json { source => "m" target => "[j]" }',
            {"m": '{"a": {"b.c": 1}}'},
            {"m": '{"a": {"b.c": 1}}', "j.a.b.c": 1},
        ),
        (
            'json { source => "m" target => "j" add_tag => ["ok"] }',
            {"m": "{"},
            {"m": "{", "tags": ["_jsonparsefailure"]},
        ),
        ('json { source => "m" target => "j" }', {}, {}),
        (
            'date { match => ["t", "ISO8601"] }',
            {"t": "2026-01-02T03:04:05.678901234+01:00"},
            {"t": "2026-01-02T03:04:05.678901234+01:00", "@timestamp": "2026-01-02T02:04:05.678Z"},
        ),
        (
            'date { match => ["t", "UNIX"] target => "u" }',
            {"t": "1767322800.5"},
            {"t": "1767322800.5", "u": "2026-01-02T03:00:00.500Z"},
        ),
        (
            'date { match => ["t", "UNIX_MS"] target => "u" }',
            {"t": 1767322800500},
            {"t": 1767322800500, "u": "2026-01-02T03:00:00.500Z"},
        ),
        (
            'date { match => ["t", "yyyy-MM-dd HH:mm:ss,SSS"] timezone => "%{z}" target => "u" }',
            {"t": "2026-01-02 03:04:05,678", "z": "Asia/Shanghai"},
            {"t": "2026-01-02 03:04:05,678", "z": "Asia/Shanghai", "u": "2026-01-01T19:04:05.678Z"},
        ),
        ('date { match => ["t", "ISO8601"] }', {"t": "soon"}, {"t": "soon", "tags": ["_dateparsefailure"]}),
        ('date { match => ["t", "ISO8601"] }', {}, {}),
        # mutate, in the documentation's order and not the file's
        (
            'mutate { copy => { "b" => "c" } rename => { "a" => "b" } }',
            {"a": "1"},
            {"b": "1", "c": "1"},
        ),
        (
            'mutate { gsub => ["a", "^x", "y"] replace => { "a" => "x%{n}" } convert => { "n" => integer } }',
            {"n": "7"},
            {"n": 7, "a": "y7"},
        ),
        ('mutate { gsub => ["a", "(b)c", "\\1!"] }', {"a": "abcd"}, {"a": "ab!d"}),
        ('mutate { gsub => ["a", "b", "c"] }', {}, {}),
        ('mutate { convert => { "a" => "integer" } }', {"a": "12 apples"}, {"a": 12}),
        ('mutate { convert => { "a" => "string" } }', {"a.b": 1}, {"a.b": 1}),
        (
            'mutate { convert => { "a" => "string" "b" => "boolean" } }',
            {"a": 1, "b": "yes"},
            {"a": "1", "b": True},
        ),
        (
            'mutate { lowercase => ["a"] uppercase => ["b"] strip => ["c"] }',
            {"a": "A", "b": ["b"], "c": " c "},
            {"a": "a", "b": ["B"], "c": "c"},
        ),
        ('mutate { split => { "a" => "," } }', {"a": "x"}, {"a": ["x"]}),
        ('mutate { split => { "a" => "," } }', {"a": "x,y,,"}, {"a": ["x", "y"]}),
        ('mutate { join => { "a" => "," } }', {"a": ["x", 1]}, {"a": "x,1"}),
        ('mutate { merge => { "l" => "a" } }', {"a": "x"}, {"a": "x", "l": ["x"]}),
        ('mutate { merge => { "l" => "a" } }', {"l": ["w"], "a": ["x"]}, {"a": ["x"], "l": ["w", "x"]}),
        ('mutate { update => { "a" => "1" "b" => "1" } }', {"a": "0"}, {"a": "1"}),
        (
            'mutate { remove_field => ["[a][b]", "c"] add_tag => ["t"] }',
            {"a.b": 1, "a.d": 2, "c": 3},
            {"a.d": 2, "tags": ["t"]},
        ),
        ('mutate { remove_tag => ["t"] }', {"tags": ["s", "t"]}, {"tags": ["s"]}),
        ('mutate { replace => { "a" => "%{none}" } }', {}, {"a": "%{none}"}),
        ('mutate { rename => { "[a][b]" => "c" } }', {"a": "no object"}, {"a": "no object"}),
        # translate, uuid
        (
            'translate { source => "a" target => "b" dictionary => { "1" => "one" } }',
            {"a": 1},
            {"a": 1, "b": "one"},
        ),
        ('translate { source => "a" target => "b" dictionary => { "1" => "one" } }', {"a": 2}, {"a": 2}),
        (
            'translate { source => "a" target => "b" fallback => "f" dictionary => { "1" => "one" } }',
            {"a": 2},
            {"a": 2, "b": "f"},
        ),
        ('translate { source => "a" target => "b" fallback => "f" dictionary => { "1" => "one" } }', {}, {}),
        (
            'translate { source => "a" target => "b" dictionary => { "1" => "one" } }',
            {"a": 1, "b": "x"},
            {"a": 1, "b": "x"},
        ),
        ('uuid { target => "a" }', {"a": "x"}, {"a": "x"}),
    ],
)
def test_a_filter(filters: str, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert run(filters, fields) == expected


@pytest.mark.parametrize(
    ("condition", "fields", "holds"),
    [
        ("[a]", {"a": 0}, True),
        ("[a]", {"a": False}, False),
        ("[a]", {}, False),
        ("![a][b]", {"a": "x"}, True),
        ('[a] == "x"', {"a": "x"}, True),
        ('[a] != "x"', {}, True),
        ("[a] > 3", {"a": 4}, True),
        ("[a] > 3", {}, False),
        ('"x" in [a]', {"a": ["x"]}, True),
        ('"x" in [a]', {"a": "axb"}, True),
        ('"x" in [a]', {}, False),
        ('"x" not in [a]', {}, True),
        ('[a] in ["x", "y"]', {"a": "y"}, True),
        ("[a] =~ /^b/", {"a": "a\nb"}, True),
        ("[a] =~ /^1/", {"a": 1}, False),
        ("[a] !~ /x/", {}, True),
        ("[a][0]", {"a": ["x"]}, True),
        ("[a][0]", {"a": []}, False),
        ("[a] and ![b]", {"a": 1}, True),
        ("[b] or ([a] and [a] < 2)", {"a": 1}, True),
    ],
)
def test_a_condition(condition: str, fields: dict[str, Any], holds: bool) -> None:
    sent = run(f'if {condition} {{ mutate {{ add_tag => ["held"] }} }}', fields)
    assert sent is not None
    assert (sent.get("tags") == ["held"]) == holds


def test_the_first_case_that_holds_is_taken_alone() -> None:
    text = (
        'if [a] { mutate { add_tag => ["1"] } } else if [b] { mutate { add_tag => ["2"] } } else { drop { } }'
    )
    assert run(text, {"a": 1, "b": 1}) == {"a": 1, "b": 1, "tags": ["1"]}
    assert run(text, {"b": 1}) == {"b": 1, "tags": ["2"]}
    assert run(text, {}) is None


def test_nothing_happens_to_a_dropped_line() -> None:
    assert run('drop { } json { source => "m" }', {"m": "{}"}) is None


def test_a_new_id_is_one() -> None:
    sent = run('uuid { target => "a" }', {})
    assert sent
    assert re.fullmatch(r"[0-9a-f-]{36}", sent["a"])


@pytest.mark.parametrize(
    ("filters", "fields", "message"),
    [
        ('grok { match => { "m" => "(?<m>a)" } }', {"m": "a"}, "would make a list of m"),
        ('mutate { add_field => { "m" => "b" } }', {"m": "a"}, "would make a list of m"),
        ('mutate { replace => { "[m][x]" => "b" } }', {"m": "a"}, "cannot hold fields"),
        ("if [m] > 3 { }", {"m": "a"}, "have no order"),
        ('mutate { replace => { "a" => "%{+YYYY}" } }', {}, "dates in texts"),
    ],
)
def test_what_nobody_means_is_an_error(filters: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(EventError, match=message):
        run(filters, fields)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ('json { source => "m" }', "json without a target"),
        ('grok { match => { "m" => "%{UNKNOWN:x}" } }', "UNKNOWN is defined nowhere"),
        ('grok { match => { "m" => "(" } }', "missing"),
        ('date { match => ["m", "EEE"] }', "EEE is not understood"),
        ("drop { percentage => 50 }", "percentage is not understood"),
        ('mutate { convert => { "m" => "integer_eu" } }', "integer_eu is no kind"),
        ('mutate { coerce => { "m" => "x" } }', "coerce is not understood"),
        ('translate { source => "m" dictionary => { "a" => "b" } regex => true }', "regex is not understood"),
        ('ruby { code => "event.cancel" }', "this code is not understood"),
    ],
)
def test_what_is_not_understood_is_refused(filters: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        run(filters, {"m": "{}"})


def test_patterns_that_contain_each_other_are_refused() -> None:
    with pytest.raises(PipelineError, match="contain each other"):
        Pattern("%{A}", {"A": "%{B}", "B": "%{A}"})


def test_a_pattern_may_be_defined_once(tmp_path: Any) -> None:
    (tmp_path / "one").write_text("# words\nA a+\n\nB %{A}b\n")
    assert definitions(tmp_path) == {"A": "a+", "B": "%{A}b"}
    (tmp_path / "two").write_text("A b\n")
    with pytest.raises(PipelineError, match="A: not a new pattern"):
        definitions(tmp_path)


def test_an_event_is_a_copy() -> None:
    fields = {"a": {"b": [1]}}
    event = Event(fields)
    event.set("[a][b]", 2)
    assert fields == {"a": {"b": [1]}}
