"""The filters' regular expressions in Logstash's own Ruby mean what our interpreter takes them to mean."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.logging.events import samples
from tests.logging.logstash import grok, reference
from tests.logging.logstash.pipeline import FOLDER, sections
from tests.logging.test_logstash import ODD_LINES
from tools.elastic.jruby import VERSION, ensure_jruby

LINES = sorted(
    {str(sample.event.get("message", "")) for sample in samples()}
    | set(ODD_LINES)
    | {
        "x\nAccepted password for a from 203.0.113.9 port 2 ssh2\ny",
        "op : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh -c 'a\nb --token=xyz'",
        "Accepted password for é from 203.0.113.9 port ٣ ssh2",
    }
)


def patterns() -> list[grok.Pattern]:
    known = grok.definitions(FOLDER / "patterns")
    found: list[grok.Pattern] = []
    for options in _options("grok"):
        for expressions in options["match"].values():
            listed = expressions if isinstance(expressions, list) else [expressions]
            found += [grok.Pattern(one, known) for one in listed]
    return found


def replacements() -> list[tuple[str, str]]:
    triples = [value for options in _options("mutate") for value in options.get("gsub", [])]
    return list(zip(triples[1::3], triples[2::3], strict=True))


def _options(name: str) -> list[dict[str, Any]]:
    plugins = [one for section in sections() for one in reference.plugins(section.statements)]
    return [dict(plugin.options) for plugin in plugins if plugin.name == name]


@pytest.fixture(scope="module")
def ruby(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Ruby makes of every line with every expression."""
    asked = tmp_path_factory.mktemp("ruby") / "asked.json"
    expressions = [pattern.ruby for pattern in patterns()]
    asked.write_text(json.dumps({"lines": LINES, "patterns": expressions, "replacements": replacements()}))
    script = Path(__file__).with_name("regexes.rb")
    done = subprocess.run(
        ["java", "-jar", str(ensure_jruby()), str(script), str(asked)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_it_is_the_ruby_of_logstash(ruby: dict[str, Any]) -> None:
    assert ruby["version"] == VERSION


def test_every_pattern_finds_the_same(ruby: dict[str, Any]) -> None:
    assert any(any(found) for found in ruby["found"])
    for pattern, found in zip(patterns(), ruby["found"], strict=True):
        for line, captures in zip(LINES, found, strict=True):
            assert pattern.captures(line) == captures, (pattern.ruby, line)


def test_every_replacement_makes_the_same(ruby: dict[str, Any]) -> None:
    assert any(made != LINES for made in ruby["replaced"])
    for (pattern, new), made in zip(replacements(), ruby["replaced"], strict=True):
        expression = re.compile(pattern, re.ASCII | re.MULTILINE)
        assert [expression.sub(new, line) for line in LINES] == made, pattern
