"""Small texts and routines."""

import pytest

from assistant.__main__ import main
from assistant.messages import Incoming, Kind
from assistant.texts import clean, kind_of


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
