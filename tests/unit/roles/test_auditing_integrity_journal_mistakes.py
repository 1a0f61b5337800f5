"""What an operator may get wrong in three roles, and the words that lead him out: variable, file, example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks

FILE = "inventory/<yours>/group_vars/assistant/main.yml"
MISTAKES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "a last warning before the first": (
        "auditing",
        {"auditing_space_left": 100, "auditing_admin_space_left": 100},
        ["auditing_space_left is 100", "500 and 100"],
    ),
    "a rule that is none": (
        "auditing",
        {"auditing_extra_rules": ["/etc/nginx"]},
        ["auditing_extra_rules has /etc/nginx", "-w /etc/nginx/ -p wa -k proxy"],
    ),
    "a folder with a quote": (
        "auditing",
        {"auditing_skipped_folders": ["/srv/it's"]},
        ["auditing_skipped_folders has /srv/it's", "[/var/lib/docker]"],
    ),
    "more days than sysstat has files": (
        "auditing",
        {"auditing_sysstat_days": 90},
        ["auditing_sysstat_days 90", "1 to 28"],
    ),
    "a schedule in cron's words": (
        "integrity",
        {"integrity_check_schedule": "0 3 * * *"},
        ["integrity_check_schedule", "0 3 * * *", '"*-*-* 03:00"'],
    ),
    "a path that is relative": (
        "integrity",
        {"integrity_extra_paths": ["srv/upload"]},
        ["integrity_extra_paths", "Found: srv/upload", "[/srv/upload]"],
    ),
    "nothing watched": ("integrity", {"integrity_paths": []}, ["integrity_paths", "at least one"]),
    "no processor": ("integrity", {"integrity_cpu_percent": 0}, ["integrity_cpu_percent is 0", "50"]),
    "a delay without a unit": (
        "integrity",
        {"integrity_first_check_delay": "60"},
        ["integrity_first_check_delay is 60", "1h"],
    ),
    "a size in words": ("journal", {"journal_max_use": "1 GB"}, ["journal_max_use (1 GB)", "1G"]),
    "days in words": (
        "journal",
        {"journal_max_retention": "ninety days"},
        ["journal_max_retention (ninety days)", "90day"],
    ),
    "a pattern elsewhere": (
        "journal",
        {"journal_open_log_files": ["/home/*"]},
        ["journal_open_log_files (/home/*)", "/var/log/nginx/*"],
    ),
}


def attempt(name: str, role: str, values: dict[str, Any], results: Path) -> dict[str, Any]:
    """Judge ``values`` as the role does and write what it said to a file; none where it was content."""
    task = {"name": str(ROOT / "roles" / role), "tasks_from": "validate"}
    said = {"content": "{{ ansible_failed_result.msg }}", "dest": str(results / name), "mode": "0600"}
    return {
        "block": [{"ansible.builtin.include_role": task, "vars": values}],
        "rescue": [{"ansible.builtin.copy": said}],
    }


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the roles say to each mistake; one run of Ansible for all of them."""
    folder, results = tmp_path_factory.mktemp("mistakes"), tmp_path_factory.mktemp("said")
    tasks = [attempt(f"good {role}", role, {}, results) for role in ("auditing", "integrity", "journal")]
    tasks += [attempt(name, role, values, results) for name, (role, values, _) in MISTAKES.items()]
    run_tasks(folder, tasks)
    return {path.name: " ".join(path.read_text().split()) for path in results.iterdir()}


@pytest.mark.parametrize("role", ["auditing", "integrity", "journal"])
def test_the_defaults_are_not_complained_about(said: dict[str, str], role: str) -> None:
    assert f"good {role}" not in said


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_file_and_an_example(said: dict[str, str], name: str) -> None:
    for word in [*MISTAKES[name][2], FILE]:
        assert word in said.get(name, "nothing was said"), said.get(name)
