"""A folder of pipeline files, run as Logstash runs them: joined in the order of their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.logging.logstash import conditions, filters, grok
from tests.logging.logstash.event import Event
from tests.logging.logstash.language import Branch, Plugin, Section, parse

FOLDER = Path(__file__).resolve().parents[3] / "files" / "logstash"


def sections(folder: Path = FOLDER / "pipeline") -> list[Section]:
    """Return the sections of all files.

    Raises:
        PipelineError: A file is not in Logstash's language.
    """
    return [
        section
        for path in sorted(folder.glob("*.conf"))
        for section in parse(path.read_text(encoding="utf-8"), path.name)
    ]


class Pipeline:
    """The filters of a pipeline."""

    def __init__(self, made_of: Sequence[Section], patterns: Mapping[str, str] | None = None) -> None:
        """Take the filter sections; ``patterns`` are grok's, those in files/logstash/patterns when None."""
        self._filters = [section.statements for section in made_of if section.kind == "filter"]
        self._patterns = grok.definitions(FOLDER / "patterns") if patterns is None else patterns

    def run(self, fields: Mapping[str, Any]) -> Event | None:
        """Return the event as it goes to the output; None where a filter drops it.

        Args:
            fields: What Filebeat sends, names with dots or nested.

        Raises:
            PipelineError: The pipeline uses what this interpreter does not know.
            EventError: A filter makes something of the event that nobody means.
        """
        event = Event(fields)
        for statements in self._filters:
            self._run(statements, event)
        return None if event.dropped else event

    def _run(self, statements: Sequence[Plugin | Branch], event: Event) -> None:
        for statement in statements:
            if event.dropped:
                return
            if isinstance(statement, Plugin):
                filters.apply(statement, event, self._patterns)
                continue
            for condition, inside in statement.cases:
                if condition is None or conditions.holds(condition, event):
                    self._run(inside, event)
                    break
