"""What an operator may get wrong in three roles, and the words that lead him out: variable, file, example."""

from __future__ import annotations

from typing import Any

from tests.unit.roles.refusals import Refusals

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
GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    f"good {role}": (role, {}) for role in ("auditing", "integrity", "journal")
}


class TestMistakes(Refusals, file=FILE, good=GOOD, mistakes=MISTAKES):
    """The mistakes in all three."""
