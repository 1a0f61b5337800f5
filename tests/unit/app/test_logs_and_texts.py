"""The log keeps people's words out; small texts and routines."""

import json
import logging
import sys

import pytest

from assistant.__main__ import main
from assistant.logs import JsonLines
from assistant.messages import Incoming, Kind
from assistant.texts import clean, kind_of


def line(name: str, message: str, error: Exception | None = None) -> dict[str, object]:
    info = None
    if error is not None:
        try:
            raise error
        except Exception:
            info = sys.exc_info()
    record = logging.LogRecord(name, logging.ERROR, __file__, 7, message, None, info)
    text = JsonLines().format(record)
    assert "\n" not in text
    assert "private" not in text
    return dict(json.loads(text))


def test_exception_is_a_type_and_places() -> None:
    found = line("assistant.x", "fault", ValueError("private words"))
    assert found["error"] == "ValueError"
    assert "test_logs_and_texts.py" in str(found["trace"])


def test_library_is_not_quoted() -> None:
    found = line("httpx", "GET https://api/bot123:private")
    assert found["at"] == "test_logs_and_texts.py:7"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/start", Kind.START),
        ("/HELP now", Kind.HELP),
        ("help", Kind.CHAT),
        ("", Kind.CHAT),
        ("/helpme", Kind.CHAT),
    ],
)
def test_commands(text: str, kind: Kind) -> None:
    assert kind_of(text) is kind


def test_clean() -> None:
    payload = {"messages": [{"role": "user", "content": "x\x00\ud800"}], "max_tokens": 5}
    found = clean(Incoming("api", "1", "1", "a\x00b\udfff你", payload=payload))
    assert found.text == "ab?你"
    assert found.payload == {"messages": [{"role": "user", "content": "x?"}], "max_tokens": 5}


def test_healthcheck_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["healthcheck", "--url", "http://127.0.0.1:9/readyz"]) == 1
    assert "http://127.0.0.1:9/readyz" in capsys.readouterr().err
