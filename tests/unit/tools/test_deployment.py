from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machines import machine as machines
from tests.machines.keys import ensure_key, write_known_hosts
from tools.controller.artifacts import Artifacts
from tools.demo import traces
from tools.demo.deployment import Deployment
from tools.demo.secrets_file import ensure_secrets

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    monkeypatch.setattr(machines, "BUILD", tmp_path)
    monkeypatch.delenv("MACHINE_SUITE", raising=False)
    machine = machines.Machine("assistant-unit", "192.0.2.10", "2001:db8::10", "192.0.2.1")
    ensure_key(machine.key, bits=2048)
    made = Deployment(machine, ensure_secrets(machine.folder / "secrets.json"))
    made.write_inventory(Artifacts("base:1", tmp_path / "base.tar", tmp_path / "wheels", tmp_path / "m.gguf"))
    return made


def _inventory(deployment: Deployment) -> dict[str, object]:
    program = Path(sys.executable).with_name("ansible-inventory")
    command = [str(program), *deployment.inventories, "--host", deployment.machine.name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    loaded: dict[str, object] = json.loads(done.stdout)
    return loaded


def test_ansible_reads_the_generated_inventory_over_the_demo_one(deployment: Deployment) -> None:
    variables = _inventory(deployment)
    assert variables["ansible_host"] == "192.0.2.10"
    assert variables["proxy_domain"] == "assistant-unit.test"
    assert variables["proxy_subject_alt_names"] == ["192.0.2.10", "2001:db8::10"]
    assert variables["vault_api_token"] == deployment.secrets["api_token"]
    assert variables["ansible_user"] == deployment.info()["ssh"]["user"] == "operator"
    key = deployment.machine.key.with_name("id_rsa.pub").read_text().strip()
    assert variables["ssh_admin_users"] == [{"name": "operator", "authorized_keys": [key]}]
    assert variables["proxy_tls_mode"] == "self_signed", "inventory/demo's own values must be there too"


def test_a_release_that_is_only_tried_is_admitted_on_its_machine_alone(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "base_supported_releases" not in _inventory(deployment)
    monkeypatch.setenv("MACHINE_SUITE", "bullseye")
    deployment.write_inventory(Artifacts("base:1", Path("b.tar"), Path("wheels"), Path("m.gguf")))
    assert _inventory(deployment)["base_supported_releases"] == ["Ubuntu 22[.]04", "Debian 12", "Debian 11"]


def test_the_vault_file_is_for_its_owner_only(deployment: Deployment) -> None:
    vault = deployment.inventory / "group_vars" / "assistant" / "vault.yml"
    assert vault.stat().st_mode & 0o077 == 0
    assert (deployment.folder / "secrets.json").stat().st_mode & 0o077 == 0


def test_info_has_every_name_that_other_tools_rely_on(deployment: Deployment) -> None:
    info = deployment.info()
    assert {"host", "port", "user", "key"} <= info["ssh"].keys()
    assert {"app_id", "app_secret", "encrypt_key", "verification_token", "emulator_url"} <= info[
        "feishu"
    ].keys()
    assert {"bot_token", "secret_token", "webhook_path", "emulator_url"} <= info["telegram"].keys()
    assert {"base_url", "token"} <= info["api"].keys()
    assert {"https_url", "web_chat_url", "ca_file"} <= info.keys()


def test_secrets_are_kept_and_have_the_platforms_shapes(tmp_path: Path) -> None:
    first = ensure_secrets(tmp_path / "one" / "secrets.json")
    assert ensure_secrets(tmp_path / "one" / "secrets.json") == first
    assert ensure_secrets(tmp_path / "two" / "secrets.json") != first
    assert re.fullmatch(r"\d{10}:[A-Za-z0-9]{35}", first["telegram_bot_token"])
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,256}", first["telegram_secret_token"])
    assert re.fullmatch(r"cli_[a-z0-9]{16}", first["feishu_app_id"])
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", first["database_encryption_key"])


def test_a_secret_that_is_new_is_added_to_those_of_a_machine(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps({"api_token": "kept"}))
    first = ensure_secrets(path)
    assert first["api_token"] == "kept" and "database_encryption_key" in first
    assert ensure_secrets(path) == first


def test_a_line_for_root_arrives_as_it_was_written(deployment: Deployment) -> None:
    line = """printf '%s|' "a  b" 'it'"'"'s' "$HOME" && exit 3"""
    command = deployment.machine.as_root(line)
    assert command[-2] == "operator@192.0.2.10"
    # The login shell there puts the words together; this one plays it, without sudo.
    played = command[-1].replace("sudo -n ", "", 1)
    done = subprocess.run(["sh", "-c", played], env={"HOME": "/root"}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "a  b|it's|/root|")


def test_images_stay_while_another_machine_uses_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(traces, "BUILD", tmp_path)
    monkeypatch.setattr(traces, "cache_directory", lambda *_: tmp_path)
    monkeypatch.setattr(traces, "remove_images", lambda: ["ai-assistant-machine"])
    monkeypatch.setattr(traces, "all_machines", lambda: ["another"])
    assert traces.remove_traces("this") == []
    monkeypatch.setattr(traces, "all_machines", list)
    assert traces.remove_traces("this") == ["image ai-assistant-machine"]


def test_known_hosts_name_both_addresses(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    write_known_hosts(path, ["192.0.2.10", "2001:db8::10"], "ssh-ed25519 AAAAB3 root@machine")
    assert path.read_text() == "192.0.2.10 ssh-ed25519 AAAAB3\n2001:db8::10 ssh-ed25519 AAAAB3\n"
