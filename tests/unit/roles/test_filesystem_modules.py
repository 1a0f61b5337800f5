"""The modules mount_options and system_files, and the daily search for files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.loading import load_file

ROLE = ROOT / "roles/filesystem"
OPTIONS = ["nosuid", "nodev", "noexec"]


@pytest.fixture(scope="module")
def mounts() -> ModuleType:
    return load_file(ROLE / "library/mount_options.py")


@pytest.fixture(scope="module")
def files() -> ModuleType:
    return load_file(ROLE / "library/system_files.py")


def wanted(path: Path | str, kind: str = "bind", **more: Any) -> dict[str, Any]:
    return {"path": str(path), "kind": kind, "options": OPTIONS, "size": "25%", **more}


def plan(
    mounts: ModuleType, lines: list[str], *several: dict[str, Any], add: bool = True, live: Any = None
) -> Any:
    return mounts.plan({"mounts": several, "operator_lines": add}, lines, live or {})


def test_a_folder_without_a_file_system_gets_a_line(mounts: ModuleType, tmp_path: Path) -> None:
    made = plan(mounts, ["UUID=1 / ext4 defaults 0 1"], wanted(tmp_path), wanted(tmp_path, "tmpfs"))
    bind, memory = (line.split() for line in made.block)
    assert bind[:3] == [str(tmp_path), str(tmp_path), "none"]
    assert {"bind", "nofail", *OPTIONS} <= set(bind[3].split(","))
    assert memory[:3] == ["tmpfs", str(tmp_path), "tmpfs"]
    assert {"size=25%", "mode=1777", "nofail", *OPTIONS} <= set(memory[3].split(","))
    assert made.lines == ["UUID=1 / ext4 defaults 0 1"] and made.notes == []


def test_an_operators_line_stays_and_gets_what_it_lacks(mounts: ModuleType, tmp_path: Path) -> None:
    line = f"UUID=2\t{tmp_path}/  ext4\tdefaults,nodev,usrquota 0\t2"
    made = plan(mounts, [line], wanted(tmp_path))
    assert made.lines == [f"UUID=2\t{tmp_path}/  ext4\tdefaults,nodev,usrquota,nosuid,noexec 0\t2"]
    assert made.block == []
    assert plan(mounts, made.lines, wanted(tmp_path)).lines == made.lines


def test_what_an_operator_asks_for_is_not_taken_back(mounts: ModuleType, tmp_path: Path) -> None:
    made = plan(mounts, [f"UUID=2 {tmp_path} ext4 exec 0 2"], wanted(tmp_path))
    assert made.lines == [f"UUID=2 {tmp_path} ext4 exec,nosuid,nodev 0 2"]
    assert made.force[0]["options"] == ["nosuid", "nodev"]
    assert made.notes == [f"noexec on {tmp_path}: its line in /etc/fstab asks for the opposite"]


def test_operators_lines_are_left_alone_where_that_is_said(mounts: ModuleType, tmp_path: Path) -> None:
    line = f"UUID=2 {tmp_path} ext4 defaults 0 2"
    made = plan(mounts, [line], wanted(tmp_path), add=False)
    assert made.lines == [line] and made.block == [] and made.force == []
    assert "add them there" in made.notes[0]


def test_a_line_behind_a_hash_is_none(mounts: ModuleType, tmp_path: Path) -> None:
    assert len(plan(mounts, [f"# UUID=2 {tmp_path} ext4 defaults 0 2"], wanted(tmp_path)).block) == 1


def test_a_link_and_a_missing_folder_are_reported(mounts: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    made = plan(mounts, [], wanted(tmp_path / "link"), wanted(tmp_path / "none"))
    assert made.block == made.force == [] and len(made.notes) == 2


def test_what_something_else_mounts_is_known(mounts: ModuleType, tmp_path: Path) -> None:
    # /proc has a device of its own, as a volume of a container has.
    made = plan(mounts, [], wanted("/proc"), live={"/proc": ({"rw"}, "proc")})
    assert made.block == [] and "something else than /etc/fstab mounts it" in made.notes[0]
    assert [each["path"] for each in made.force] == ["/proc"]
    assert not mounts.foreign(wanted(tmp_path), "ext4")
    (tmp_path / "proc.mount").touch()
    assert mounts.foreign(wanted("/proc", "tmpfs"), "tmpfs", (str(tmp_path),))
    assert not mounts.foreign(wanted("/proc", "tmpfs"), "tmpfs", (str(tmp_path / "none"),))


def test_the_block_goes_without_a_trace(mounts: ModuleType) -> None:
    before = ["UUID=1 / ext4 defaults 0 1", "", "# a remark"]
    assert mounts.without_block([*before, mounts.BEGIN, "a b c d", mounts.END]) == (before, ["a b c d"])
    assert mounts.without_block(before) == (before, [])


def test_the_mount_on_top_counts(mounts: ModuleType) -> None:
    text = (
        "30 1 0:26 / /tmp rw,relatime shared:5 - ext4 /dev/a rw\n"
        "31 30 0:27 / /tmp rw,nosuid shared:6 master:2 - tmpfs tmpfs rw,size=1k\n"
        "32 1 0:28 / /with\\040space ro - xfs /dev/b ro\n"
    )
    assert mounts.live_mounts(text) == {"/tmp": ({"rw", "nosuid"}, "tmpfs"), "/with space": ({"ro"}, "xfs")}


def test_a_program_with_an_open_file_uses_the_folder(mounts: ModuleType, tmp_path: Path) -> None:
    assert mounts.users(str(tmp_path)) == []
    private = tmp_path / "systemd-private-1"
    private.mkdir()
    with open(private / "file", "w"):
        assert mounts.users(str(tmp_path)) == []
    with open(tmp_path / "file", "w"):
        name = Path("/proc/self/comm").read_text().strip()
        assert mounts.users(str(tmp_path)) == [name]


def test_programs_are_found_behind_their_links_and_with_their_versions(
    files: ModuleType, tmp_path: Path
) -> None:
    for name in ("x86_64-linux-gnu-gcc-12", "gcc-ranlib-12", "tcc-like", "clang-14", "assemble"):
        (tmp_path / name).touch()
    (tmp_path / "gcc").symlink_to("gcc-12")
    (tmp_path / "gcc-12").symlink_to("x86_64-linux-gnu-gcc-12")
    found = files.program_files(["gcc", "clang", "as"], (str(tmp_path),))
    assert found == [str(tmp_path / "clang-14"), str(tmp_path / "x86_64-linux-gnu-gcc-12")]


def test_overrides_are_read(files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "statoverride"
    assert files.overridden(str(path)) == set()
    path.write_text("root crontab 2755 /usr/bin/crontab\nroot root 700 /etc/cron.d\n")
    assert files.overridden(str(path)) == {"/usr/bin/crontab", "/etc/cron.d"}


class Module:
    """Stands for Ansible's module: a check run or a real one."""

    def __init__(self, check: bool) -> None:
        self.check_mode = check


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to root")
@pytest.mark.parametrize(
    ("before", "after"), [(0o666, 0o640), (0o640, 0o640), (0o400, 0o400), (0o4755, 0o640)]
)
def test_a_mode_is_the_most_that_is_allowed(
    files: ModuleType, tmp_path: Path, before: int, after: int
) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(before)
    entry = {"path": str(path), "mode": "0640", "group": "root", "content": None}
    entry |= {"override": False, "folder": False, "absent": False}
    for check in (True, False):
        applied = files.SystemFiles(Module(check))
        applied.apply(entry)
        assert applied.changed == ([str(path)] if before != after else [])
        assert path.stat().st_mode & 0o7777 == (before if check else after)


def test_the_search_names_each_kind_of_file_and_keeps_its_answer(tmp_path: Path) -> None:
    """The script's own starts and its cache are replaced; everything else is as it runs on a host."""
    text = (ROLE / "files/scan_files.sh").read_text()
    tree, kept = tmp_path / "tree", tmp_path / "kept"
    for name, mode in (("open", 0o666), ("closed", 0o644), ("setuid", 0o4755)):
        path = tree / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        path.chmod(mode)
    for name, mode in (("shared", 0o777), ("sticky", 0o1777)):
        (tree / name).mkdir()
        (tree / name).chmod(mode)
    assert "starts=/\n" in text and "kept=/var/cache/ai-assistant-files\n" in text
    script = tmp_path / "scan.sh"
    changed = text.replace("starts=/\n", f"starts={tree}\n").replace(
        "for folder in /home", "for folder in /none"
    )
    changed = changed.replace("/var /var/log /var/tmp /tmp /opt /srv;", ";")
    script.write_text(changed.replace("kept=/var/cache/ai-assistant-files\n", f"kept={kept}\n"))

    def search(mode: str) -> list[str]:
        done = subprocess.run(["sh", str(script), "20", mode], capture_output=True, text=True, check=True)
        return done.stdout.split()

    expected = [f"no-sticky-bit|{tree}/shared", f"setuid|{tree}/setuid", f"world-writable|{tree}/open"]
    assert search("check") == expected and not kept.exists()
    assert search("keep") == expected
    (tree / "open").unlink()
    assert search("keep") == expected, "the answer of less than a day ago counts"
