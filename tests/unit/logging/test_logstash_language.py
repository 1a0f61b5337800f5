"""The interpreter's first half: the language, and what the plugins' documentation knows."""

from __future__ import annotations

import pytest

from tests.logging.logstash import reference
from tests.logging.logstash.language import (
    Branch,
    Condition,
    Field,
    PipelineError,
    Plugin,
    Regex,
    field,
    parse,
)


def one(text: str) -> Plugin | Branch:
    sections = parse(f"filter {{ {text} }}", "x.conf")
    assert len(sections) == 1
    assert len(sections[0].statements) == 1
    return sections[0].statements[0]


def condition(text: str) -> object:
    branch = one(f"if {text} {{ drop {{}} }}")
    assert isinstance(branch, Branch)
    return branch.cases[0][0]


def test_a_plugin_has_its_options_in_order() -> None:
    text = r"""
    # a comment with "quotes"
    mutate {
      rename => { "a.b" => "[a][b]" 'c' => "d" } # another
      id => "x-1"
      convert => { "n" => integer }
    }
    """
    assert one(text) == Plugin(
        "mutate",
        (
            ("rename", {"a.b": "[a][b]", "c": "d"}),
            ("id", "x-1"),
            ("convert", {"n": "integer"}),
        ),
        "x.conf:3",
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5044", 5044),
        ("-1.5", -1.5),
        ("true", True),
        ("none", "none"),
        ('"a # b"', "a # b"),
        (r'"say \"x\" \d"', r"say \"x\" \d"),
        (r"'it\'s \"'", r"it\'s \""),
        ('["a", 1, ["b"]]', ["a", 1, ["b"]]),
        ("[]", []),
        ("{}", {}),
        ('{ "a" => { b1 => 2 } }', {"a": {"b1": 2}}),
    ],
)
def test_values(text: str, value: object) -> None:
    plugin = one(f"x {{ a => {text} }}")
    assert isinstance(plugin, Plugin)
    assert dict(plugin.options) == {"a": value}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("[a]", Field(("a",))),
        ("[a][b.c]", Field(("a", "b.c"))),
        ("![a]", Condition("not", (Field(("a",)),))),
        ('[a] == "x"', Condition("==", (Field(("a",)), "x"))),
        ("[a] >= 10", Condition(">=", (Field(("a",)), 10))),
        ('"x" in [tags]', Condition("in", ("x", Field(("tags",))))),
        ('[a] not in ["x", "y"]', Condition("not in", (Field(("a",)), ["x", "y"]))),
        (r"[a] =~ /^b\/c/", Condition("=~", (Field(("a",)), Regex(r"^b\/c")))),
        ('[a] !~ "b"', Condition("!~", (Field(("a",)), Regex("b")))),
        (
            "[a] and ([b] or [c])",
            Condition("all", (Field(("a",)), Condition("any", (Field(("b",)), Field(("c",)))))),
        ),
    ],
)
def test_conditions(text: str, made: object) -> None:
    assert condition(text) == made


def test_a_branch_has_its_cases_in_order() -> None:
    branch = one("if [a] { drop {} } else if [b] { } else { drop {} }")
    assert isinstance(branch, Branch)
    assert [case[0] for case in branch.cases] == [Field(("a",)), Field(("b",)), None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filter {", "x.conf:1: not understood"),
        ("filter { mutate { a => } }", "x.conf:1: not understood"),
        ("filter {\n\n mutate { a = 1 } }", "x.conf:3: not understood"),
        ("filter { if [a] and [b] or [c] { } }", "x.conf:1: not understood"),
        ("filter { x { a => 1b } }", "x.conf:1: 1b must be quoted"),
        ("filter { if [a] == b { } }", "x.conf:1: b must be quoted"),
        ('filter { x { a => { "b" => 1 "b" => 2 } } }', "a hash has a key twice: b, b"),
        ('filter { if [a] in ["x"] { } }', "a list needs two elements or more"),
        ("filters { }", "x.conf:1: not understood"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        parse(text, "x.conf")


@pytest.mark.parametrize("reference_text", ["[a][b", "[a]b", "[a] [b]", '["a"]'])
def test_a_wrong_reference_is_refused(reference_text: str) -> None:
    with pytest.raises(PipelineError):
        field(reference_text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filter { mutat { } }", "x.conf:1: mutat is no filter plugin that is known here"),
        ("filter { beats { port => 1 } }", "beats is no filter plugin"),
        ('filter { mutate { renam => { "a" => "b" } } }', "mutate has no option renam"),
        ('filter { json { target => "a" } }', "json needs source"),
        ("input { beats { port => true } }", "port must be of the kind number"),
        ('input { beats { port => "http" } }', "port must be of the kind number"),
        ("input { beats { port => 1 ssl => true } }", "beats has no option ssl"),
        ("input { beats { port => 1 ssl_enabled => 1 } }", "ssl_enabled must be of the kind boolean"),
        (
            'input { beats { port => 1 ssl_client_authentication => "always" } }',
            "must be one of none, optional, required",
        ),
        ('filter { mutate { rename => ["a", "b"] } }', "rename must be of the kind hash"),
        ('filter { mutate { rename => { "[a" => "b" } } }', "is no reference to a field"),
        ('filter { drop { id => "a" } drop { id => "a" } }', "the id a is another plugin's, too"),
        ('filter { json { source => "a" source => "b" } }', "json has source twice"),
        ("filter { if [a] { if [b] { x1 { } } } }", "x1 is no filter plugin"),
    ],
)
def test_what_the_documentation_does_not_know_is_a_fault(text: str, message: str) -> None:
    faults = reference.faults(parse(text, "x.conf"))
    assert len(faults) == 1
    assert message in faults[0]


def test_a_variable_may_stand_for_a_number() -> None:
    assert reference.faults(parse('input { beats { port => "${PORT:5044}" } }', "x.conf")) == []
