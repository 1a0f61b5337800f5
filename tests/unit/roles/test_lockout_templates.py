from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.rendering import render

PROFILES = sorted((ROOT / "roles/lockout/files").glob("ai-assistant-faillock*"))


def test_name_is_the_first_line_of_a_pam_profile() -> None:
    assert len(PROFILES) == 3
    for profile in PROFILES:
        assert profile.read_text().startswith("Name: ")


def test_the_limits_reach_both_files(tmp_path: Path) -> None:
    values = {
        "lockout_deny": 3,
        "lockout_find_seconds": 61,
        "lockout_unlock_seconds": 62,
        "lockout_ssh_port": 2222,
        "lockout_ignore_addresses": ["192.0.2.0/24", "2001:db8::1"],
    }
    jail = set(render("lockout", "jail.local.j2", tmp_path, values).read_text().splitlines())
    assert jail >= {
        "maxretry = 3",
        "findtime = 61",
        "bantime = 62",
        "port = 2222",
        "ignoreip = 127.0.0.0/8 ::1 192.0.2.0/24 2001:db8::1",
        "backend = systemd",
    }
    faillock = set(render("lockout", "faillock.conf.j2", tmp_path, values).read_text().splitlines())
    assert faillock >= {"deny = 3", "fail_interval = 61", "unlock_time = 62"}
    assert "even_deny_root" not in faillock


# Options of faillock.conf that Linux-PAM 1.4.0 (Ubuntu 22.04, Debian 11) has: its faillock.conf(5).
PAM_1_4_0 = {
    *("dir", "audit", "silent", "no_log_info", "local_users_only", "deny", "fail_interval"),
    *("unlock_time", "even_deny_root", "root_unlock_time", "admin_group"),
}


def test_faillock_is_given_no_option_that_the_oldest_pam_does_not_know(tmp_path: Path) -> None:
    text = render("lockout", "faillock.conf.j2", tmp_path, {"lockout_even_root": True}).read_text()
    options = {line.partition("=")[0].strip() for line in text.splitlines() if not line.startswith("#")}
    assert options and options <= PAM_1_4_0


def test_a_ban_grows_only_when_asked_and_is_remembered_longer_than_it_lasts(tmp_path: Path) -> None:
    def lines(template: str, **values: object) -> list[str]:
        return render("lockout", template, tmp_path, values).read_text().splitlines()

    assert "bantime.increment = false" in lines("jail.local.j2")
    grown = {"lockout_ssh_increment": True, "lockout_ssh_increment_max_seconds": 604800}
    assert set(lines("jail.local.j2", **grown)) >= {
        "bantime.increment = true",
        "bantime.factor = 1",
        "bantime.maxtime = 604800",
    }
    assert "dbpurgeage = 1209600" in lines("fail2ban.local.j2", **grown)
    assert "dbpurgeage = 86400" in lines("fail2ban.local.j2")
    assert "dbpurgeage = 200000" in lines("fail2ban.local.j2", lockout_unlock_seconds=100000)


def test_root_is_locked_only_when_asked(tmp_path: Path) -> None:
    text = render("lockout", "faillock.conf.j2", tmp_path, {"lockout_even_root": True}).read_text()
    assert "even_deny_root\nroot_unlock_time = 900\n" in text


@pytest.mark.skipif(
    shutil.which("fail2ban-regex") is None or not Path("/etc/fail2ban/filter.d/sshd.conf").exists(),
    reason="fail2ban is not installed, so its filter cannot be tried",
)
@pytest.mark.parametrize(
    ("line", "counted"),
    [
        ("Connection closed by authenticating user root 192.0.2.7 port 4022 [preauth]", True),
        ("Invalid user guess from 192.0.2.7 port 4022", True),
        ("Connection closed by 192.0.2.7 port 4022 [preauth]", False),
        ("Accepted publickey for root from 192.0.2.7 port 4022 ssh2: RSA SHA256:x", False),
    ],
)
def test_the_filter_counts_logins_and_not_port_checks(tmp_path: Path, line: str, counted: bool) -> None:
    filters = tmp_path / "filter.d"
    shutil.copytree("/etc/fail2ban/filter.d", filters)
    rendered = render("lockout", "filter.conf.j2", tmp_path)
    rendered.rename(filters / "ai-assistant-sshd.conf")
    log = tmp_path / "log"
    log.write_text(f"Nov 24 21:00:00 host sshd[7]: {line}\n")
    done = subprocess.run(
        ["fail2ban-regex", str(log), str(filters / "ai-assistant-sshd.conf")], capture_output=True, text=True
    )
    assert ("1 matched" in done.stdout) is counted, done.stdout
