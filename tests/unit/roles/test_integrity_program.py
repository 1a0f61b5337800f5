"""The program that tells an intruder's change from a package's, on reports as AIDE prints them."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.loading import load_file

program = load_file(ROOT / "roles/integrity/files/ai-assistant-integrity")

REPORT = """Start timestamp: 2026-11-26 15:10:01 +0000 (AIDE 0.17.3)
AIDE found differences between database and filesystem!!

Summary:
  Total number of entries:\t31337
  Added entries:\t\t2
  Removed entries:\t\t1
  Changed entries:\t\t2

---------------------------------------------------
Added entries:
---------------------------------------------------

f+++++++++++++++: /etc/new file: odd
d++++++++++++++++: /opt/new

---------------------------------------------------
Removed entries:
---------------------------------------------------

l---------------: /etc/gone

---------------------------------------------------
Changed entries:
---------------------------------------------------

f > p    C   A. : /etc/passwd
d   p      .. . : /root

---------------------------------------------------
Detailed information about changes:
---------------------------------------------------

File: /etc/passwd
 Size      : 1                                | 2

f+++++++++++++++: /etc/not/an/entry
"""


def test_the_report_is_read() -> None:
    found = program.entries(REPORT)
    assert [str(entry) for entry in found] == [
        "added: /etc/new file: odd",
        "added: /opt/new",
        "removed: /etc/gone",
        "changed: /etc/passwd (contents, rights, access list)",
        "changed: /root (rights)",
    ]
    assert [entry.kind for entry in found] == ["f", "d", "l", "f", "d"]


GENERATED = [r"/etc/ld\.so\.cache$"]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """dpkg's folder with an old package and one that was upgraded a moment ago."""
    info = tmp_path / "dpkg/info"
    info.mkdir(parents=True)
    for name in ("old", "new:amd64"):
        file = tmp_path / f"usr/{name}"
        file.parent.mkdir(exist_ok=True)
        file.write_text(name)
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        (info / f"{name}.list").write_text(f"/.\n{file.parent}\n{file}\n{file}.conf\n/lib/{name}-link\n")
        (info / f"{name}.md5sums").write_text(f"{digest}  {str(file)[1:]}\n")
    day = 86_400
    os.utime(info / "old.list", (time.time() - 2 * day, time.time() - 2 * day))
    return tmp_path / "dpkg"


@pytest.mark.parametrize(
    ("what", "kind", "path", "explained"),
    [
        ("changed", "f", "{root}/usr/new:amd64", True),
        ("added", "f", "{root}/usr/new:amd64", True),
        ("changed", "f", "{root}/usr/old", False),  # its package did not change
        ("changed", "f", "{root}/usr/new:amd64.conf", False),  # no checksum, as for a file that people edit
        ("added", "f", "/etc/cron.d/unknown", False),
        ("changed", "l", "/usr/lib/new:amd64-link", True),  # dpkg says /lib, which is a link to /usr/lib
        ("changed", "l", "/usr/lib/old-link", False),
        ("removed", "f", "/usr/share/nobodys", True),
        ("removed", "f", "/usr/local/sbin/ours", False),
        ("removed", "f", "{root}/usr/old", False),
        ("removed", "f", "/etc/passwd", False),
        ("changed", "f", "/etc/ld.so.cache", True),
        ("changed", "f", "/etc/ld.so.cache.d", False),
    ],
)
def test_a_difference_is_explained_by_a_package_or_not(
    installed: Path, tmp_path: Path, what: str, kind: str, path: str, explained: bool
) -> None:
    packages = program.Packages(time.time() - 3600, installed)
    assert packages.changed == {"new:amd64"}
    entry = program.Entry(what, kind, path.format(root=tmp_path))
    assert packages.explain(entry, GENERATED) is explained


def test_a_package_does_not_explain_other_contents(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "usr/new:amd64").write_text("changed by somebody")
    packages = program.Packages(time.time() - 3600, installed)
    assert not packages.explain(program.Entry("changed", "f", f"{tmp_path}/usr/new:amd64"), GENERATED)


def test_without_a_changed_package_nothing_is_explained(installed: Path, tmp_path: Path) -> None:
    packages = program.Packages(time.time() + 3600, installed)
    assert not packages.explain(program.Entry("changed", "f", "/etc/ld.so.cache"), GENERATED)
    assert not packages.explain(program.Entry("removed", "f", "/usr/share/nobodys"), GENERATED)


def test_a_wrong_word_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["accpet"]) == 2
    assert "check | accept | malware" in capsys.readouterr().err
