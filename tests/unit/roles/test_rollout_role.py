"""What the role rollout writes for its agent, and what it starts a candidate with."""

from __future__ import annotations

import configparser
import json
from pathlib import Path
from typing import Any

import pytest

from rollout_agent.config import ConfigError, read_config
from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import render, run_tasks


def test_the_agent_takes_its_configuration(tmp_path: Path) -> None:
    values = {"assistant_model_directory": "/srv/models", "assistant_ready_timeout": 500}
    written = tmp_path / "config.json"
    written.write_text(render(tmp_path, "rollout", "rollout-agent.json.j2", values))
    config = read_config(written)
    assert (config.models, config.ready_seconds) == (Path("/srv/models"), 500)
    assert {path.name for path in config.tokens} == {"api_token", "candidate_api_token"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("models", "models"), ("tokens", []), ("ready_seconds", 0), ("ready_seconds", "ten"), ("stable", "")],
)
def test_a_wrong_entry_is_named(tmp_path: Path, name: str, value: Any) -> None:
    values = json.loads(render(tmp_path, "rollout", "rollout-agent.json.j2", {}))
    (tmp_path / "config.json").write_text(json.dumps({**values, name: value}))
    with pytest.raises(ConfigError, match=name):
        read_config(tmp_path / "config.json")


def test_the_agent_writes_into_no_other_folders(tmp_path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(render(tmp_path, "rollout", "ai-assistant-rollout.service.j2", {}))
    service = unit["Service"]
    assert service["ProtectSystem"] == "strict"
    assert set(service["ReadWritePaths"].replace("-/", "/").split()) == {
        "/data/ai-models",
        "/etc/ai-assistant/secrets",
        "/etc/ai-assistant/candidate",
    }


def test_a_candidate_has_the_stable_one_s_settings_and_no_channel(tmp_path: Path) -> None:
    names = [
        ROOT / f"roles/{role}/{part}/main.yml"
        for role in ("assistant", "rollout")
        for part in ("defaults", "vars")
    ]
    written = tmp_path / "environment.json"
    copy = {"content": "{{ _rollout_environment | to_json }}", "dest": str(written), "mode": "0600"}
    values = {
        "role_path": str(ROOT / "roles/rollout"),
        "rollout_file": "new.gguf",
        "rollout_cpus": 1.5,
        "assistant_parallel": 8,
        "assistant_telegram_enabled": True,
        "assistant_pinned_answers": [{"question": "a", "answer": "b"}],
        "assistant_extra_settings": {"ASSISTANT_TEMPERATURE": "0.2"},
    }
    run_tasks(
        tmp_path,
        [*({"ansible.builtin.include_vars": str(name)} for name in names), {"ansible.builtin.copy": copy}],
        values,
    )
    found = json.loads(written.read_text())
    assert found["MODEL_PATH"] == "/models/new.gguf"
    assert (found["ASSISTANT_PARALLEL"], found["ASSISTANT_TEMPERATURE"]) == ("8", "0.2")
    assert found["ASSISTANT_ANSWER_CACHE_SECONDS"] == "0"
    assert found["ASSISTANT_DATABASE_URL"].startswith("sqlite:////tmp/")
    off = ("FEISHU", "TELEGRAM", "WEB_CHAT")
    assert {found[f"ASSISTANT_{name}_ENABLED"] for name in off} == {"false"}
    assert "ASSISTANT_PINNED_ANSWERS_FILE" not in found and "ASSISTANT_ROLLOUT_STATE_FILE" not in found
