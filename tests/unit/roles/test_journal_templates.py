"""The journal's settings, and how log files lose the rights that others have on them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks
from tests.unit.roles.rendering import render


def test_the_settings_reach_journald(tmp_path: Path) -> None:
    values = {
        "journal_max_use": "3G",
        "journal_keep_free": "4G",
        "journal_max_file_size": "5M",
        "journal_max_retention": "6day",
        "journal_rate_limit_interval": "7s",
        "journal_rate_limit_burst": 8,
        "journal_forward_to_syslog": True,
        "journal_persistent": False,
        "journal_compress": False,
        "journal_seal": False,
    }
    text = render("journal", "journald.conf.j2", tmp_path, values).read_text()
    section, *lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert section == "[Journal]"
    assert dict(line.split("=") for line in lines) == {
        "Storage": "volatile",
        "Compress": "no",
        "Seal": "no",
        "SystemMaxUse": "3G",
        "SystemKeepFree": "4G",
        "SystemMaxFileSize": "5M",
        "MaxRetentionSec": "6day",
        "RateLimitIntervalSec": "7s",
        "RateLimitBurst": "8",
        "ForwardToSyslog": "yes",
    }


def close(folder: Path, logs: Path, **values: Any) -> tuple[list[str], list[str]]:
    """Run the role's commands on another folder than /var/log; return what looking and closing printed."""
    target = folder / "commands"
    files = [ROOT / "roles/journal/defaults/main.yml", ROOT / "roles/journal/vars/main.yml"]
    tasks: list[dict[str, Any]] = [{"ansible.builtin.include_vars": str(file)} for file in files]
    content = "{{ [_journal_show_commands, _journal_close_commands] | to_json }}"
    tasks.append({"ansible.builtin.copy": {"content": content, "dest": str(target), "mode": "0600"}})
    run_tasks(folder, tasks, values)
    answers = []
    for commands in json.loads(target.read_text()):
        line = "; ".join(commands).replace("/var/log", str(logs))
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
        answers.append(done.stdout.split())
    return answers[0], answers[1]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    modes = {"dpkg.log": 0o644, "apt/history.log": 0o666, "quiet.log": 0o640, "tool.log": 0o755}
    modes |= {"wtmp": 0o664, "lastlog": 0o666, "btmp.1": 0o660, "journal/x/system.journal": 0o644}
    modes |= {"nginx/access.log": 0o644}
    for name, mode in modes.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        file.chmod(mode)
    return folder


def test_log_files_are_closed_and_login_records_stay_readable(tmp_path: Path, logs: Path) -> None:
    shown, closed = close(tmp_path, logs, journal_open_log_files=[f"{logs}/nginx/*"])
    expected = {"dpkg.log", "apt/history.log", "tool.log", "lastlog"}
    assert {str(Path(path).relative_to(logs)) for path in closed} == expected
    # Looking, as check mode does, names the same files.
    assert sorted(shown) == sorted(closed)
    files = [path for path in logs.rglob("*") if path.is_file()]
    modes = {str(path.relative_to(logs)): f"{path.stat().st_mode & 0o777:o}" for path in files}
    assert modes == {
        "dpkg.log": "640",
        "apt/history.log": "640",
        "quiet.log": "640",
        "tool.log": "640",
        "wtmp": "664",
        "lastlog": "664",
        "btmp.1": "660",
        "journal/x/system.journal": "644",
        "nginx/access.log": "644",
    }
    assert close(tmp_path, logs, journal_open_log_files=[f"{logs}/nginx/*"]) == ([], [])


def test_apt_runs_the_same_commands_and_takes_the_file(tmp_path: Path) -> None:
    file = render("journal", "apt.conf.j2", tmp_path)
    done = subprocess.run(["apt-config", "-c", str(file), "dump"], capture_output=True, text=True, check=True)
    hooks = re.findall(r'^DPkg::Post-Invoke:: "(find /var/log .*)";$', done.stdout, re.MULTILINE)
    assert len(hooks) == 2 and all("chmod" in hook for hook in hooks)
    off = render("journal", "apt.conf.j2", tmp_path, {"journal_close_log_files": False}).read_text()
    assert "Post-Invoke" not in off
