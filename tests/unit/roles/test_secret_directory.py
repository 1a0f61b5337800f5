from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks

LIBRARY = ROOT / "roles/assistant/library"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to another group")


@pytest.fixture
def apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the module once for each set of files; return its results in order, and what Ansible printed."""
    monkeypatch.setenv("ANSIBLE_LIBRARY", str(LIBRARY))

    def run(*steps: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
        tasks: list[dict[str, Any]] = []
        for number, step in enumerate(steps):
            module = {"path": str(tmp_path / "secrets"), "group": 10001, "files": step["files"]}
            module["keep"] = step.get("keep", [])
            tasks += [
                {"secret_directory": module, "check_mode": step.get("check", False), "register": "result"},
                {
                    "ansible.builtin.copy": {
                        "content": "{{ result | to_json }}",
                        "dest": str(tmp_path / f"result-{number}"),
                        "mode": "0600",
                    }
                },
            ]
        output = run_tasks(tmp_path, tasks)
        return [json.loads((tmp_path / f"result-{n}").read_text()) for n in range(len(steps))], output

    return run


def test_it_writes_removes_and_is_content(apply: Any, tmp_path: Path) -> None:
    first = {"one": "needle-1", "two": "needle-2"}
    second = {"two": "needle-3"}
    results, output = apply(
        {"files": first, "check": True},
        {"files": first},
        {"files": first},
        {"files": second, "check": True},
        {"files": second},
    )
    assert [result["changed"] for result in results] == [True, True, False, True, True]
    assert results[4]["changed_files"] == ["two", "one"]
    folder = tmp_path / "secrets"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"two": "needle-3"}
    state = (folder / "two").stat()
    assert (state.st_uid, state.st_gid, state.st_mode & 0o7777) == (0, 10001, 0o440)
    assert folder.stat().st_mode & 0o7777 == 0o750
    assert "needle" not in output + json.dumps(results)


def test_what_somebody_else_keeps_there_stays(apply: Any, tmp_path: Path) -> None:
    apply({"files": {"one": "needle"}})
    (tmp_path / "secrets/other").write_text("theirs")
    results, _ = apply({"files": {"one": "needle"}, "keep": ["other"]}, {"files": {"one": "needle"}})
    assert [result["changed"] for result in results] == [False, True]
    assert not (tmp_path / "secrets/other").exists()


def test_wrong_permissions_are_put_right(apply: Any, tmp_path: Path) -> None:
    apply({"files": {"one": "needle"}})
    (tmp_path / "secrets/one").chmod(0o644)
    results, _ = apply({"files": {"one": "needle"}}, {"files": {"one": "needle"}})
    assert [result["changed"] for result in results] == [True, False]
    assert (tmp_path / "secrets/one").stat().st_mode & 0o7777 == 0o440
