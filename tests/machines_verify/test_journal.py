"""The journal of the machine: on disk, limited, and log files closed even after a package was installed."""

from __future__ import annotations

import json
import uuid

from tests.machines_verify.machine_access import eventually, on_machine

OPEN = "find /var/log -xdev -path /var/log/journal -prune -o -type f -perm /0137 -print"
LOGINS = ("wtmp", "btmp", "lastlog")


def _open_log_files() -> list[str]:
    return [path for path in on_machine(OPEN).split() if not path.rsplit("/", 1)[1].startswith(LOGINS)]


def test_an_entry_is_on_disk_and_the_journal_has_a_limit() -> None:
    word = f"journal-test-{uuid.uuid4().hex}"
    on_machine(f"logger {word} && journalctl --sync")
    on_disk = "journalctl --directory=/var/log/journal --no-pager --output=cat"
    assert word in on_machine(f"{on_disk} --grep={word}")
    # journald's own report of its space (systemd's message id SD_MESSAGE_JOURNAL_USAGE).
    report = "MESSAGE_ID=ec387f577b844b8fa948f33cad9a75e6 'JOURNAL_NAME=System Journal'"
    usage = json.loads(on_machine(f"journalctl {report} --lines=1 --output=json"))
    assert usage["JOURNAL_PATH"].startswith("/var/log/journal/")
    # What is already used by other files of the disk may leave less, never more.
    assert 0 < int(usage["MAX_USE"]) <= 1 << 30


def test_others_cannot_read_the_log_files_and_services_still_write_them() -> None:
    assert _open_log_files() == []
    before = on_machine("stat -c %s /var/log/dpkg.log").strip()
    # apt's history and dpkg's log are opened for everybody by this, unless something closes them.
    on_machine("DEBIAN_FRONTEND=noninteractive apt-get install --reinstall --yes --quiet hostname 2>&1")
    assert on_machine("stat -c %s /var/log/dpkg.log").strip() != before
    assert _open_log_files() == []


def test_who_was_here_can_still_be_asked_by_everybody() -> None:
    answer = on_machine("setpriv --reuid=65534 --regid=65534 --clear-groups last -n 1 -f /var/log/wtmp")
    assert "wtmp begins" in answer


def test_a_flood_of_one_service_is_cut_and_said() -> None:
    unit = f"journal-flood-{uuid.uuid4().hex[:8]}"
    # journald multiplies the limit, up to six times, the more the disk has free.
    written = 100_000
    flood = f"for i in $(seq {written}); do echo flood $i; done"
    on_machine(f"systemd-run --quiet --wait --unit={unit} sh -c '{flood}' && journalctl --sync")
    count = int(on_machine(f"journalctl --no-pager --output=cat --unit={unit} --grep='^flood' | wc -l"))
    assert 0 < count < written
    said = f"journalctl --no-pager --output=cat --since=-10min --grep='Suppressed .*{unit}' | wc -l"

    def is_said() -> bool:
        # journald says so once the interval is over and the service writes again.
        on_machine(f"systemd-run --quiet --wait --unit={unit} echo again")
        return int(on_machine(said)) > 0

    assert eventually(is_said, 90)


def test_a_file_that_grows_too_fast_is_rotated_before_its_time() -> None:
    # A copy of the machine's own settings, with a size that the log already has.
    on_machine(
        "set -e; cp /etc/logrotate.conf /root/logrotate-of-test.conf; "
        "grep -qx 'maxsize 100M' /root/logrotate-of-test.conf; "
        "sed -i 's/^maxsize .*/maxsize 1k/; /^include/d' /root/logrotate-of-test.conf; "
        "mkdir -p /var/log/rotation-of-test; head -c 5000 /dev/zero > /var/log/rotation-of-test/x.log; "
        "printf '/var/log/rotation-of-test/x.log {\\n monthly\\n rotate 1\\n}\\n' "
        ">> /root/logrotate-of-test.conf; "
        "logrotate --state /root/logrotate-of-test.state /root/logrotate-of-test.conf"
    )
    try:
        assert "x.log.1" in on_machine("ls /var/log/rotation-of-test")
        assert "OnCalendar=hourly" in on_machine("systemctl cat logrotate.timer")
    finally:
        on_machine("rm -rf /root/logrotate-of-test.* /var/log/rotation-of-test")
