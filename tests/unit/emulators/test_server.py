"""The emulators on real sockets, and their configuration file."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx
import pytest

from tests.emulators.__main__ import main
from tests.emulators.config import ConfigurationError, load
from tests.emulators.server import Server
from tests.emulators.telegram import make_telegram_app
from tests.unit.emulators.support import TELEGRAM

SEND = f"/bot{TELEGRAM.bot_token}/sendMessage"
GOOD = {
    "feishu": {"app_id": "a", "app_secret": "b", "encrypt_key": "c", "verification_token": "d"},
    "telegram": {"bot_token": "1:a", "secret_token": "s"},
}


@pytest.mark.parametrize(("cut", "delivered"), [("before", 0), ("after", 1)])
def test_connection_is_cut(cut: str, delivered: int) -> None:
    with Server(make_telegram_app(TELEGRAM), "127.0.0.1", 0) as server:
        httpx.post(f"{server.url}/_fail", json={"cut": cut}).raise_for_status()
        with pytest.raises(httpx.TransportError):
            httpx.post(server.url + SEND, json={"chat_id": 7, "text": "a"})
        assert len(httpx.get(f"{server.url}/_sent").json()) == delivered
        assert httpx.post(server.url + SEND, json={"chat_id": 7, "text": "a"}).status_code == 200


def test_double_colon_listens_on_both_families() -> None:
    with Server(make_telegram_app(TELEGRAM), "::", 0) as server:
        for host in ("127.0.0.1", "[::1]"):
            assert httpx.get(f"http://{host}:{server.port}/_health").json()["status"] == "ok"


def test_taken_port_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}: .*another port"):
            Server(make_telegram_app(TELEGRAM), "127.0.0.1", port)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "no object"),
        (json.dumps({"feishu": GOOD["feishu"]}), 'no object "telegram"'),
        (json.dumps({**GOOD, "telegram": {"bot_token": "1:a"}}), "telegram.secret_token is missing"),
        (json.dumps({**GOOD, "telegram": {"bot_token": "", "secret_token": "s"}}), "telegram.bot_token must"),
        (json.dumps({**GOOD, "feishu": {**GOOD["feishu"], "colour": 1}}), "feishu.colour is unknown"),
        (json.dumps({**GOOD, "feishu": {**GOOD["feishu"], "chat_rate": 0}}), "feishu.chat_rate must"),
    ],
)
def test_bad_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, reason: str
) -> None:
    path = tmp_path / "emulators.json"
    path.write_text(content, encoding="utf-8")
    assert main(["--feishu-port", "0", "--telegram-port", "0", "--config", str(path)]) == 1
    captured = capsys.readouterr().err
    assert reason in captured and str(path) in captured


def test_missing_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(tmp_path / "none.json")


def test_limits_are_configurable(tmp_path: Path) -> None:
    path = tmp_path / "emulators.json"
    path.write_text(json.dumps({**GOOD, "feishu": {**GOOD["feishu"], "token_seconds": 60}}), encoding="utf-8")
    assert load(path).feishu.token_seconds == 60
