"""The program behind playbooks/unlock.yml: it judges a tally file as pam_faillock does."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.loading import load_file

locks = load_file(ROOT / "roles/lockout/files/locks.py")

NOW = 1_000_000
# pam_faillock/faillock.h: valid, and whether the source is a host or a terminal
VALID, FROM_HOST, FROM_TERMINAL = 1, 2, 4


def record(age: int, source: str = "/dev/pts/1", status: int = VALID | FROM_TERMINAL) -> bytes:
    return struct.pack("=52sHHQ", source.encode(), 0, status, NOW - age)


def limits(folder: Path, text: str) -> object:
    path = folder / "faillock.conf"
    path.write_text(text)
    return locks.Limits(str(path))


FIVE = "deny = 5\nfail_interval = 900\nunlock_time = 900\n"


@pytest.mark.parametrize(
    ("account", "records", "conf", "locked"),
    [
        ("alice", [10] * 5, FIVE, True),
        ("alice", [10] * 4, FIVE, False),
        ("alice", [900] * 5, FIVE, True),
        ("alice", [901] * 5, FIVE, False),
        ("alice", [10, 10, 10, 10, 909], FIVE, True),
        ("alice", [10, 10, 10, 10, 910], FIVE, False),
        ("alice", [9999] * 5, "deny=5\nunlock_time=0\n", True),
        ("alice", [10] * 3, "", True),
        ("alice", [601] * 3, "", False),
        ("alice", [10] * 5, "deny = 0\n", False),
        ("root", [10] * 5, FIVE, False),
        ("root", [10] * 5, FIVE + "even_deny_root\n", True),
        ("root", [70] * 5, FIVE + "root_unlock_time = 60\n", False),
        ("alice", [], FIVE, False),
    ],
)
def test_an_account_is_locked_as_pam_would_say(
    tmp_path: Path, account: str, records: list[int], conf: str, locked: bool
) -> None:
    data = b"".join(map(record, records))
    assert locks.Tally(account, data, limits(tmp_path, conf), NOW).locked is locked


def test_a_missing_faillock_conf_is_pams_own_values(tmp_path: Path) -> None:
    own = locks.Limits(str(tmp_path / "none"))
    assert (own.deny, own.find_seconds, own.unlock_seconds) == (3, 900, 600)


def test_records_that_do_not_count_any_more_are_left_out(tmp_path: Path) -> None:
    data = record(10) * 4 + record(10, status=FROM_TERMINAL) + b"cut off"
    tally = locks.Tally("alice", data, limits(tmp_path, FIVE), NOW)
    assert (tally.failures, tally.locked) == (4, False)


def test_it_says_since_when_and_from_where(tmp_path: Path) -> None:
    data = record(50) * 4 + record(10, "203.0.113.9", VALID | FROM_HOST)
    said = locks.describe("alice", locks.Tally("alice", data, limits(tmp_path, FIVE), NOW))
    assert "alice is locked after 5 failures from /dev/pts/1, 203.0.113.9" in said
    assert "since 1970-01-12 13:46:30 UTC until 1970-01-12 14:01:30 UTC" in said


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("!$y$hash:1:0:99999:7:::", "passwd --unlock alice"),
        ("*:1:0:99999:7:::", "no password"),
        ("!:1:0:99999:7:::", "no password"),
        ("$y$hash:1:0:99999:7::1:", "chage --expiredate -1 alice"),
    ],
)
def test_other_locks_are_told_and_never_lifted(tmp_path: Path, fields: str, words: str) -> None:
    shadow = tmp_path / "shadow"
    shadow.write_text(f"alice2:*:1:0:99999:7:::\nalice:{fields}\n")
    assert words in " ".join(locks.other_locks("alice", str(shadow)))


def test_a_plain_account_has_no_other_locks(tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    shadow.write_text("alice:$y$hash:1:0:99999:7:::\n")
    assert locks.other_locks("alice", str(shadow)) == []
