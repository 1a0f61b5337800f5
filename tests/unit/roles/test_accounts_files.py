"""The module text_files, and what the role accounts writes with it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.loading import load_file
from tests.unit.roles.playbook import run_tasks
from tests.unit.roles.rendering import render

LIBRARY = ROOT / "roles/accounts/library"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return load_file(LIBRARY / "text_files.py")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["UMASK 022", "x"], ["UMASK\t027", "x"]),
        (
            ["# UMASK is the default umask value", "x"],
            ["# UMASK is the default umask value", "x", "UMASK\t027"],
        ),
        (["# UMASK=077", "x"], ["UMASK\t027", "x"]),
        (["UMASK 1", "y", "  UMASK 2"], ["y", "UMASK\t027"]),
        (["UMASKS 1"], ["UMASKS 1", "UMASK\t027"]),
    ],
    ids=["set", "only spoken of", "commented out", "twice", "another name"],
)
def test_a_setting_is_set_once(module: ModuleType, before: list[str], after: list[str]) -> None:
    assert module.with_setting(before, "UMASK", "UMASK\t027") == after
    assert module.with_setting(after, "UMASK", "UMASK\t027") == after


def test_a_line_goes_below_its_place_and_away_again(module: ModuleType) -> None:
    before = ["# auth required pam_wheel.so", "auth sufficient pam_rootok.so", "@include common-auth"]
    wheel = "auth required pam_wheel.so use_uid group=sudo"
    after = module.with_line(
        before, r"^auth\s+required\s+pam_wheel", wheel, r"^auth\s+sufficient\s+pam_rootok"
    )
    assert after == [*before[:2], wheel, before[2]]
    assert module.with_line(after, r"^auth\s+required\s+pam_wheel", wheel, "nothing") == after
    assert module.with_line(after, r"^auth\s+required\s+pam_wheel", None, None) == before


def test_a_line_without_its_place_is_an_error(module: ModuleType) -> None:
    with pytest.raises(ValueError, match="no line matches rootok"):
        module.with_line(["one"], "wheel", "wheel", "rootok")


@pytest.fixture
def apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the module on each list of files and return its results, failures included."""
    monkeypatch.setenv("ANSIBLE_LIBRARY", str(LIBRARY))

    def run(*steps: tuple[list[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        tasks: list[dict[str, Any]] = []
        for number, (files, check) in enumerate(steps):
            result = {
                "content": "{{ result | to_json }}",
                "dest": str(tmp_path / f"result-{number}"),
                "mode": "0600",
            }
            tasks += [
                {
                    "text_files": {"files": files},
                    "check_mode": check,
                    "register": "result",
                    "ignore_errors": True,
                },
                {"ansible.builtin.copy": result},
            ]
        run_tasks(tmp_path, tasks)
        return [json.loads((tmp_path / f"result-{number}").read_text()) for number in range(len(steps))]

    return run


def test_files_are_foreseen_written_once_and_removed(apply: Any, tmp_path: Path) -> None:
    whole, edited = tmp_path / "folder/whole", tmp_path / "edited"
    edited.write_text("a = 1\n")
    edited.chmod(0o640)
    wanted = [
        {"path": str(whole), "content": "text\n", "mode": "0600"},
        {"path": str(edited), "settings": {"a": 2, "b": 3}},
    ]
    gone = [{"path": str(whole), "absent": True}]
    results = apply((wanted, True), (wanted, False), (wanted, False), (gone, False), (gone, False))
    assert [result["changed"] for result in results] == [True, True, False, True, False]
    assert results[0]["changed_files"] == results[1]["changed_files"] == [str(whole), str(edited)]
    assert edited.read_text() == "a = 2\nb = 3\n"
    assert edited.stat().st_mode & 0o777 == 0o640
    assert not whole.exists()


def test_a_check_writes_nothing(apply: Any, tmp_path: Path) -> None:
    apply(([{"path": str(tmp_path / "new"), "content": "text\n"}], True))
    assert not (tmp_path / "new").exists()


def test_what_the_checker_refuses_is_not_put_in_place(apply: Any, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text("good\n")
    (result,) = apply(([{"path": str(path), "content": "bad\n", "validate": ["grep", "good", "%s"]}], False))
    assert result["failed"] and f"{path} would be wrong, so it was left" in result["msg"]
    assert path.read_text() == "good\n"


@pytest.fixture
def findings(tmp_path: Path) -> Any:
    """Report on a folder that stands for /etc, with lines added to its files."""

    def report(passwd: str = "", shadow: str = "", group: str = "") -> list[str]:
        texts = {
            "passwd": "root:x:0:0::/root:/bin/bash\nsync:x:4:65534::/bin:/bin/sync\n" + passwd,
            "shadow": "root:*:20000:0:99999:7:::\nsync:*:20000:0:99999:7:::\n" + shadow,
            "group": "root:x:0:\n" + group,
            "login.defs": "UID_MIN 1000\n",
        }
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
        script = ROOT / "roles/accounts/files/report_accounts.sh"
        done = subprocess.run(
            ["sh", str(script), str(tmp_path)],
            env={"PATH": "/usr/bin:/bin", "SUDO_USER": "operator"},
            capture_output=True,
            text=True,
        )
        return done.stdout.splitlines()

    return report


def test_a_new_host_has_no_faults(findings: Any) -> None:
    assert findings() == []


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ({"passwd": "toor:x:0:0::/root:/bin/sh\n"}, ["twin|root and toor|UID 0", "root0|toor|"]),
        ({"passwd": "a:x:1001:1::/a:/bin/false\nb:x:1001:1::/b:/bin/false\n"}, ["twin|a and b|UID 1001"]),
        ({"group": "a:x:7:\nb:x:7:\n"}, ["twin|a and b|GID 7"]),
        ({"passwd": "a:x:1001:1::/a:/bin/false\n", "shadow": "a::20000::::::\n"}, ["open|a|"]),
        ({"passwd": "a:$6$x:1001:1::/a:/bin/false\n"}, ["unshadowed|a|"]),
        ({"passwd": "+::::::\n"}, ["legacy|/etc/passwd|"]),
        (
            {"passwd": "db:x:110:1::/db:/bin/bash\n", "shadow": "db:*:20000:0:99999:7:::\n"},
            ["system-shell|db|/bin/bash"],
        ),
        (
            {"passwd": "a:x:1001:1::/none:/bin/bash\n", "shadow": "a:!:20000:1:365:7:30::\n"},
            ["ageing|a|365", "keyless|a|/none"],
        ),
        (
            {
                "passwd": "operator:x:1001:1::/none:/bin/bash\n",
                "shadow": "operator:$6$x:20000:1:365:7:30::\n",
            },
            ["ageing|operator|365"],
        ),
        ({"passwd": "a:x:1001:1::/a:/bin/bash\n", "shadow": "a:$6$x:20000:1:365:7:30::\n"}, []),
    ],
    ids=[
        "uid 0",
        "uid",
        "gid",
        "open",
        "unshadowed",
        "NIS",
        "shell",
        "no password",
        "the operator's",
        "a person's",
    ],
)
def test_each_fault_is_found(findings: Any, lines: dict[str, str], found: list[str]) -> None:
    assert findings(**lines) == found


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_an_idle_shell_ends_and_nobody_takes_that_back(tmp_path: Path, shell: str) -> None:
    script = render("accounts", "profile.sh.j2", tmp_path, {"accounts_idle_seconds": 777})
    line = f". {script}; . {script}; echo $TMOUT; ulimit -c; (unset TMOUT) 2>/dev/null || echo kept"
    done = subprocess.run([shell, "-ic", line], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout.split() == ["777", "0", "kept"]
    assert "read" not in done.stderr


def test_a_script_is_not_ended(tmp_path: Path) -> None:
    script = render("accounts", "profile.sh.j2", tmp_path)
    done = subprocess.run(["bash", "-c", f". {script}; echo ${{TMOUT-none}}"], capture_output=True, text=True)
    assert done.stdout.strip() == "none"
    off = render(
        "accounts", "profile.sh.j2", tmp_path, {"accounts_idle_seconds": 0, "accounts_core_dumps": True}
    )
    assert "TMOUT" not in off.read_text() and "ulimit" not in off.read_text()
