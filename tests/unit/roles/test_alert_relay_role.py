"""The role's inputs, and the configuration that it writes, judged by the relay itself."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from alert_relay.config import FeishuChat, TelegramChat, load
from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import render
from tests.unit.roles.refusals import Refusals

HOOK = "https://open.feishu.cn/open-apis/bot/v2/hook/0f1e2d3c-4b5a"
CHATS: dict[str, Any] = {
    "alert_relay_feishu_webhook": HOOK,
    "alert_relay_feishu_secret": "sign-secret",
    "alert_relay_telegram_bot_token": "123456789:own-token",
    "alert_relay_telegram_chat_id": "-1001234567890",
}


def test_the_configuration_is_the_relays(tmp_path: Path) -> None:
    more = [
        {"name": "managers", "telegram_chat_id": "482910375/7", "telegram_bot_token": "42:other"},
        {"name": "lab", "feishu_webhook": "aaaa-bbbb"},
    ]
    values = {**CHATS, "alert_relay_further_chats": more, "alert_relay_title": '值班 "A"'}
    path = tmp_path / "config.json"
    path.write_text(render(tmp_path, "alert_relay", "config.json.j2", values))
    config = load(path)
    assert config.title == '值班 "A"'
    assert set(config.chats) == {
        FeishuChat("feishu", HOOK, "sign-secret"),
        FeishuChat("lab", "https://open.feishu.cn/open-apis/bot/v2/hook/aaaa-bbbb"),
        TelegramChat("telegram", "123456789:own-token", "-1001234567890", "https://api.telegram.org"),
        TelegramChat("managers", "42:other", "482910375/7", "https://api.telegram.org"),
    }


def test_the_defaults_are_the_programs(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(render(tmp_path, "alert_relay", "config.json.j2", CHATS))
    document = json.loads(path.read_text())
    bare = {name: document[name] for name in ("database", "chats")}
    whole, path = load(path), tmp_path / "bare.json"
    path.write_text(json.dumps(bare))
    assert load(path) == whole


def test_the_unit_is_taken_by_systemd(tmp_path: Path) -> None:
    unit = tmp_path / "ai-assistant-alert-relay.service"
    unit.write_text(render(tmp_path, "alert_relay", "ai-assistant-alert-relay.service.j2", CHATS))
    assert "sign-secret" not in unit.read_text() and HOOK not in unit.read_text()
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    # That gunicorn is there, and its user, is the role's work.
    known = ("gunicorn", "alert-relay", "alert_relay")
    lines = [line for line in done.stderr.splitlines() if unit.name in line]
    assert [line for line in lines if not any(word in line.partition(":")[2] for word in known)] == []


MAIN = "group_vars/monitoring/main.yml"
MISTAKES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no chat": ({"alert_relay_feishu_webhook": "", "alert_relay_telegram_chat_id": ""}, ["no chat is set"]),
    "a webhook that is none": ({"alert_relay_feishu_webhook": "not a hook"}, ["alert_relay_feishu_webhook"]),
    "a chat without its bot": (
        {"alert_relay_telegram_bot_token": ""},
        ["vault_alert_relay_telegram_bot_token"],
    ),
    "an id in words": ({"alert_relay_telegram_chat_id": "my chat"}, ["no id of a chat"]),
    "a bot without its chat": (
        {"alert_relay_telegram_chat_id": ""},
        ["alert_relay_telegram_chat_id is empty"],
    ),
    "a chat without a name": (
        {"alert_relay_further_chats": [{"telegram_chat_id": "1"}]},
        ["a chat without a name"],
    ),
    "two chats of one name": (
        {"alert_relay_further_chats": [{"name": "feishu", "telegram_chat_id": "1"}]},
        ["two chats have one name"],
    ),
    "for everybody": ({"alert_relay_listen_address": "0.0.0.0:9087"}, ["must be loopback"]),
    "a language that is none": ({"alert_relay_language": "fr"}, ["use en, zh or both"]),
    "a watchdog without time": ({"alert_relay_watchdog_seconds": 0}, ["must be 10 or more"]),
    "a certificate that is not there": (
        {"alert_relay_extra_ca_certificates": ["/no/such.pem"]},
        ["not on the controller"],
    ),
}


class TestMistakes(
    Refusals, role="alert_relay", file=MAIN, good={"good": {}}, mistakes=MISTAKES, given=CHATS
):
    """What an operator may get wrong."""

    def test_no_secret_is_said(self, said: dict[str, str]) -> None:
        assert not [name for name, text in said.items() if "sign-secret" in text or "own-token" in text]


def test_the_program_asks_for_no_newer_python() -> None:
    """mypy knows what came to the standard library when; 3.10 is the oldest that it knows.

    The syntax of 3.9 is checked by ruff (per-file-target-version).
    """
    done = subprocess.run(
        [str(Path(sys.executable).with_name("mypy")), "--python-version=3.10", "app/alert_relay"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
