from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks

ROLE = ROOT / "roles" / "assistant"
FEISHU = {
    "assistant_feishu_enabled": True,
    "assistant_feishu_app_secret": "secret",
    "assistant_feishu_encrypt_key": "key",
    "assistant_feishu_verification_token": "token",
}


@pytest.mark.parametrize(
    ("values", "scheme", "plain", "age", "files"),
    [
        ({}, "feishu", "false", "0", {"app_secret", "encrypt_key", "verification_token"}),
        (
            {"assistant_feishu_signature_scheme": "hmac-sha256", "assistant_feishu_max_age_seconds": 86400},
            "hmac-sha256",
            "false",
            "86400",
            {"app_secret", "encrypt_key", "verification_token"},
        ),
        # No file of a key: with one, the assistant refuses to start.
        (
            {"assistant_feishu_plain_events": True},
            "feishu",
            "true",
            "0",
            {"app_secret", "verification_token"},
        ),
        # Keys that are there, but not used, stay away from it.
        ({"assistant_feishu_mode": "long_connection"}, "feishu", "false", "0", {"app_secret"}),
    ],
)
def test_what_the_container_is_given(
    tmp_path: Path, values: dict[str, object], scheme: str, plain: str, age: str, files: set[str]
) -> None:
    made = tmp_path / "made"
    content = "{{ [_assistant_environment, _assistant_secret_files | list] | to_json }}"
    read = [
        {"ansible.builtin.include_vars": str(ROLE / name)} for name in ("defaults/main.yml", "vars/main.yml")
    ]
    write = {"ansible.builtin.copy": {"content": content, "dest": str(made), "mode": "0600"}}
    run_tasks(tmp_path, [*read, write], {**FEISHU, **values})
    environment, secrets = json.loads(made.read_text())
    assert {name for name in secrets if name.startswith("feishu")} == {f"feishu_{name}" for name in files}
    assert environment["ASSISTANT_FEISHU_MODE"] == values.get("assistant_feishu_mode", "webhook")
    assert environment["ASSISTANT_FEISHU_SIGNATURE_SCHEME"] == scheme
    assert environment["ASSISTANT_FEISHU_PLAIN_EVENTS"] == plain
    # An empty setting is left out; "0" is not empty.
    assert environment["ASSISTANT_FEISHU_MAX_AGE_SECONDS"] == age
