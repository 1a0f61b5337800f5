"""A change of the machine's files is noticed, a package's upgrade is not, and malware is looked for."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest

from tests.machines_verify.machine_access import eventually, on_machine, run_as_root

PROGRAM = "/usr/local/sbin/ai-assistant-integrity"
UNIT = "ai-assistant-integrity.service"


@pytest.fixture(scope="module", autouse=True)
def accepted() -> None:
    """The present state is the accepted one, and each test leaves it so."""
    on_machine(f"{PROGRAM} accept")


@pytest.fixture
def new_file() -> Iterator[str]:
    path = f"/etc/integrity-test-{uuid.uuid4().hex[:8]}"
    yield path
    on_machine(f"rm -f {path} && {PROGRAM} accept")


def _check() -> tuple[str, str]:
    """Run the timer's unit; return its result, and what it wrote to the journal with the priority warning."""
    since = on_machine("date +%s").strip()
    run_as_root(f"systemctl start {UNIT}")
    on_machine("journalctl --sync")
    result = on_machine(f"systemctl show --property=Result --value {UNIT}").strip()
    # systemd's own lines about a failed unit have another identifier.
    journal = f"journalctl --no-pager --output=cat --since=@{since} --unit={UNIT} --priority=warning"
    return result, on_machine(f"{journal} SYSLOG_IDENTIFIER=ai-assistant-integrity || true")


def test_a_new_file_fails_the_unit_until_it_is_accepted(new_file: str) -> None:
    assert _check()[0] == "success"
    on_machine(f"touch {new_file}")
    result, warnings = _check()
    assert result == "exit-code"
    assert f"added: {new_file}" in warnings and "accept=true" in warnings
    assert UNIT in on_machine("systemctl list-units --failed --no-legend --plain")
    shown = on_machine(f"{PROGRAM} accept")
    assert f"added: {new_file}" in shown
    assert UNIT not in on_machine("systemctl list-units --failed --no-legend --plain")
    assert _check()[0] == "success"


def test_contents_and_rights_are_noticed(new_file: str) -> None:
    on_machine(f"echo one > {new_file} && {PROGRAM} accept")
    on_machine(f"echo two > {new_file}")
    assert f"changed: {new_file} (contents)" in run_as_root(f"{PROGRAM} check").stdout
    on_machine(f"echo one > {new_file}")
    assert run_as_root(f"{PROGRAM} check").returncode == 0
    on_machine(f"chmod 4755 {new_file}")
    assert f"changed: {new_file} (rights" in run_as_root(f"{PROGRAM} check").stdout


@pytest.fixture
def package() -> Iterator[str]:
    """Where a package with one file, /usr/share/integrity-test/data, lies on the machine."""
    folder = on_machine("mktemp -d").strip()
    control = "Package: integrity-test\\nVersion: 1\\nArchitecture: all\\n"
    control += "Maintainer: nobody <n@example.org>\\nDescription: a test\\n"
    on_machine(
        f"cd {folder} && mkdir -p p/DEBIAN p/usr/share/integrity-test"
        f" && printf '{control}' > p/DEBIAN/control && cd p && echo data > usr/share/integrity-test/data"
        " && md5sum usr/share/integrity-test/data > DEBIAN/md5sums && dpkg-deb --build . ../p.deb >/dev/null"
    )
    yield f"{folder}/p.deb"
    on_machine(f"dpkg --purge integrity-test 2>/dev/null; rm -rf {folder}; {PROGRAM} accept")


def test_a_package_explains_its_files_and_nothing_else(package: str) -> None:
    time.sleep(1)  # dpkg's lists and the database have their times in whole seconds
    on_machine(f"dpkg --install {package}")
    done = run_as_root(f"{PROGRAM} check")
    assert done.returncode == 0, done.stdout
    assert "installed or upgraded were: integrity-test" in done.stdout
    on_machine("echo other > /usr/share/integrity-test/data")
    done = run_as_root(f"{PROGRAM} check")
    assert done.returncode == 1 and "added: /usr/share/integrity-test/data" in done.stdout


def test_the_timers_are_the_only_owners() -> None:
    timers = on_machine("systemctl list-timers --all --no-legend --no-pager")
    assert "ai-assistant-integrity.timer" in timers and "ai-assistant-malware.timer" in timers
    assert "dailyaidecheck" not in timers
    assert run_as_root("test -x /etc/cron.daily/aide").returncode != 0


def test_nobody_else_reads_the_database() -> None:
    assert on_machine("stat -c %a /var/lib/aide/aide.db").strip() == "600"
    assert run_as_root("setpriv --reuid=65534 --clear-groups cat /var/lib/aide/aide.db").returncode != 0


@pytest.mark.slow
def test_the_machine_is_free_of_malware_and_rkhunter_says_so() -> None:
    since = on_machine("date +%s").strip()
    on_machine("systemctl start --no-block ai-assistant-malware.service")

    def is_over() -> bool:
        state = on_machine("systemctl show --property=ActiveState --value ai-assistant-malware.service")
        return state.strip() in ("inactive", "failed")

    assert eventually(is_over, 1200)
    journal = "journalctl --no-pager --output=cat --unit=ai-assistant-malware.service"
    said = on_machine(f"{journal} --since=@{since}")
    assert "rkhunter found nothing." in said and "have their checksums." in said, said
