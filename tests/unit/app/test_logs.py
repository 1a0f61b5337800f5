"""A line of the log: the Elastic Common Schema, the correlation id, and nothing that people wrote."""

import ast
import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant import correlation, log_fields, logs
from assistant.logs import EcsLines, said

APP = Path(logs.__file__).parent
PHONE = "13812345678"


def line(name: str, message: str, error: Exception | None = None, **extra: Any) -> dict[str, Any]:
    info = None
    if error is not None:
        try:
            raise error
        except Exception:
            info = sys.exc_info()
    record = logging.LogRecord(name, logging.ERROR, __file__, 7, message, None, info)
    record.__dict__.update(extra)
    text = EcsLines().format(record)
    assert "\n" not in text
    assert "private" not in text
    return dict(json.loads(text))


def flat(value: dict[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found |= flat(inner, f"{before}{name}.") if isinstance(inner, dict) else {before + name: inner}
    return found


@pytest.fixture(autouse=True)
def as_at_the_start() -> Iterator[None]:
    with correlation.following(""):
        yield
    logs.log_config("info")


def test_every_line_has_what_the_table_says_and_no_more() -> None:
    assert flat(line("assistant.x", "hello")).keys() == log_fields.ALWAYS.keys()


def test_fields_have_the_names_of_the_schema() -> None:
    fields = {"duration": 0.25, "status": 400, "platform": "feishu"}
    found = flat(line("assistant.x", "request refused", fields=fields))
    assert found["event.duration"] == 250_000_000
    assert found["http.response.status_code"] == 400
    assert found["assistant.platform"] == "feishu"
    assert (found["event.action"], found["event.outcome"]) == ("request-refused", "failure")
    assert found["log.level"] == "error"


def test_exception_is_a_type_and_places() -> None:
    found = line("assistant.x", "fault", ValueError("private words"))["error"]
    assert found["type"] == "ValueError"
    assert "test_logs.py" in found["stack_trace"]


def test_library_is_not_quoted() -> None:
    error = ValueError("private words")
    found = line("httpx", "GET https://api/bot123:private", error, url="private", fields={"x": "private"})
    assert found["log"]["origin"]["file"] == {"name": "test_logs.py", "line": 7}


def test_a_line_has_the_id_of_what_its_thread_works_for() -> None:
    one, two = correlation.new_id(), correlation.new_id()
    with correlation.following(one):
        assert line("assistant.x", "a")["trace"]["id"] == one
        with correlation.following(two):
            assert line("httpx", "a")["trace"]["id"] == two
        found: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: found.append(line("assistant.x", "a")))
        thread.start()
        thread.join()
        assert "trace" not in found[0]
        assert line("assistant.x", "a")["trace"]["id"] == one
    assert "trace" not in line("assistant.x", "a")


def test_text_is_nothing_unless_asked_for_and_then_masked() -> None:
    assert said(f"call {PHONE}") == {}
    logs.log_config("info", text=True)
    assert said(f"call {PHONE}") == {"text": "call [phone]"}
    assert len(said("x" * 9999)["text"]) == logs.SHOWN_CHARACTERS + 1


def _calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "log"
            ):
                yield path, node


def test_the_fields_of_all_calls_are_in_the_table() -> None:
    used = {word.arg for _, call in _calls() for word in call.keywords if word.arg}
    own = {name for name in used if name not in log_fields.ECS_NAMES}
    # What comes in as a dictionary: an answer's token counts, and the text.
    given = {"prompt_tokens", "completion_tokens", "finish_reason", "text"}
    assert own | given == log_fields.OWN_FIELDS.keys()


def test_actions_belong_to_lines_that_are_written() -> None:
    events = {
        call.args[0].value for _, call in _calls() if call.args and isinstance(call.args[0], ast.Constant)
    }
    assert log_fields.ACTIONS.keys() <= events


def test_the_document_has_the_fields_and_actions() -> None:
    rows = [
        [cell.strip().strip("`") for cell in row.strip("|").split(" | ")]
        for row in (APP.parents[1] / "docs/logs.md").read_text().splitlines()
        if row.startswith("| `")
    ]
    own = {f"{log_fields.OWN}.{name}": meaning for name, meaning in log_fields.OWN_FIELDS.items()}
    fields = {**log_fields.ALWAYS, **log_fields.SOMETIMES, **own}
    shown = {row[0]: row[1] for row in rows if len(row) == 2 and not row[0].startswith("[")}
    assert shown == {name: meaning.strip("`") for name, meaning in fields.items()}
    actions = {(row[0], row[1]) for row in rows if len(row) == 3 and row[0] != "event.action"}
    assert actions == set(log_fields.ACTIONS.values())
