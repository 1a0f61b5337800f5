"""AIDE's settings through AIDE itself, the units through systemd, and what lynis looks for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.roles.rendering import render


def test_a_strong_checksum_is_used_where_lynis_looks_for_it(tmp_path: Path) -> None:
    lines = render("integrity", "aide.conf.j2", tmp_path).read_text().splitlines()
    settings = [line for line in lines if not line.startswith("#")]
    assert [line for line in settings if re.search(r"= .*(sha256|sha512)", line)]
    assert [line for line in settings if re.match("(database|database_in)=", line)] == [
        "database_in=file:/var/lib/aide/aide.db"
    ]


def test_extra_paths_join_the_others(tmp_path: Path) -> None:
    values = {"integrity_extra_paths": ["/srv/upload"], "integrity_extra_excluded_paths": ["/srv/upload/tmp"]}
    lines = set(render("integrity", "aide.conf.j2", tmp_path, values).read_text().splitlines())
    assert {"/srv/upload d Folder", "/srv/upload f,l,b,c,p,s Contents", "!/srv/upload/tmp"} <= lines
    assert {"/etc d Folder", "!/data"} <= lines


@pytest.mark.skipif(shutil.which("aide") is None, reason="aide is not installed, so it cannot judge")
def test_aide_takes_the_settings_and_sees_a_change(tmp_path: Path) -> None:
    watched, database = tmp_path / "watched", tmp_path / "database"
    for folder in (watched / "kept", watched / "cache", database):
        folder.mkdir(parents=True)
    (watched / "kept/file").write_text("one")
    values = {
        "integrity_paths": [str(watched)],
        "integrity_excluded_paths": [str(watched / "cache")],
    }
    file = render("integrity", "aide.conf.j2", tmp_path, values)
    file.write_text(file.read_text().replace("/var/lib/aide", str(database)))

    def aide(action: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["aide", f"--config={file}", action], capture_output=True, text=True)

    assert aide("--config-check").returncode == 0
    made = aide("--init")
    assert made.returncode == 0, made.stdout + made.stderr
    (database / "aide.db.new").rename(database / "aide.db")
    (watched / "cache/new").touch()
    assert aide("--check").returncode == 0
    (watched / "kept/file").write_text("two")
    (watched / "kept/second").touch()
    seen = aide("--check")
    assert seen.returncode == 5, seen.stdout  # 1 added, 4 changed
    assert f": {watched}/kept/file" in seen.stdout and f": {watched}/kept/second" in seen.stdout


@pytest.mark.parametrize("name", ["integrity.service", "integrity.timer", "malware.service", "malware.timer"])
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path, name: str) -> None:
    text = render("integrity", f"{name}.j2", tmp_path).read_text()
    for unit in ("integrity", "malware"):
        (tmp_path / f"ai-assistant-{unit}.service").write_text("[Service]\nExecStart=/bin/true\n")
    unit_file = tmp_path / f"ai-assistant-{name}"
    unit_file.write_text(text.replace("/usr/local/sbin/ai-assistant-integrity", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit_file)], capture_output=True, text=True)
    assert str(unit_file) not in done.stderr and unit_file.name not in done.stderr, done.stderr
    assert done.returncode == 0


def test_rkhunter_leaves_out_kernel_modules_in_a_container_alone(tmp_path: Path) -> None:
    def disabled(kind: str) -> set[str]:
        facts = {"virtualization_role": "guest", "virtualization_type": kind}
        text = render("integrity", "rkhunter.conf.j2", tmp_path, {"ansible_facts": facts}).read_text()
        return set(re.findall(r"^DISABLE_TESTS=(.*)$", text, re.MULTILINE)[0].split())

    assert disabled("docker") - disabled("kvm") == {"avail_modules", "loaded_modules"}
    assert disabled("kvm") - disabled("docker") == set()


def test_each_path_that_rkhunter_allows_may_be_absent(tmp_path: Path) -> None:
    values = {"integrity_rkhunter_hidden_folders": ["/etc/.git"]}
    text = render("integrity", "rkhunter.conf.j2", tmp_path, values).read_text()
    allowed = set(re.findall(r"^(?:SCRIPTWHITELIST|ALLOWHIDDEN\w+)=(.*)$", text, re.MULTILINE))
    assert "/etc/.git" in allowed
    assert allowed == set(re.findall(r"^EXISTWHITELIST=(.*)$", text, re.MULTILINE))


def test_the_programs_settings_are_json(tmp_path: Path) -> None:
    text = render("integrity", "settings.json.j2", tmp_path, {"integrity_debsums": False}).read_text()
    settings = json.loads(text)
    switches = {name: settings[name] for name in ("debsums", "rkhunter", "explain_upgrades")}
    assert switches == {"debsums": False, "rkhunter": True, "explain_upgrades": True}
    assert any(re.match(pattern, "/etc/ld.so.cache") for pattern in settings["generated"])
    assert not any(re.match(pattern, "/etc/passwd") for pattern in settings["generated"])
