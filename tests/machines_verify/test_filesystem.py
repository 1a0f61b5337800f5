"""What may be run, read and written where, tried on the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines_verify.machine_access import on_machine
from tests.machines_verify.site_run import run_site

APT = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y"
INVENTORY = Path(os.environ["DEMO_INFO"]).parent / "inventory"


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/dev/shm"])
def test_nothing_can_be_run_where_everybody_writes(folder: str) -> None:
    said = on_machine(f"cp /bin/echo {folder}/e && {folder}/e it-ran 2>&1; rm {folder}/e")
    assert "it-ran" not in said and "ermission denied" in said


def test_a_home_folder_gives_nobody_roots_rights() -> None:
    uid = on_machine("install -m 4755 /usr/bin/id /home/id && runuser -u nobody -- /home/id -u; rm /home/id")
    assert uid.strip() == "65534"


def test_temporary_files_cannot_fill_the_disk() -> None:
    assert on_machine("stat -f -c %T /tmp").strip() == "tmpfs"
    assert on_machine("stat -c %a /tmp").strip() == "1777"


def test_questions_of_packages_can_be_run() -> None:
    """debconf takes a package's script out into this folder and runs it."""
    folder = on_machine("apt-config dump --format '%v' APT::ExtractTemplates::TempDir").strip()
    assert "ran" in on_machine(f"cp /bin/echo {folder}/e && {folder}/e ran; rm {folder}/e")


@pytest.fixture
def operators_line() -> Iterator[str]:
    """An operator's own file system for /home, as /etc/fstab has it."""
    on_machine("cp -p /etc/fstab /root/fstab && printf 'tmpfs /home tmpfs size=9m 0 0\\n' >> /etc/fstab")
    yield "tmpfs /home tmpfs size=9m"
    on_machine("cp -p /root/fstab /etc/fstab && rm /root/fstab && systemctl daemon-reload")


def test_an_operators_line_in_fstab_is_added_to(operators_line: str) -> None:
    run = run_site(INVENTORY, "--tags", "filesystem", playbook="playbooks/harden.yml")
    assert run.status == 0, run.output[-3000:]
    homes = on_machine("grep ' /home ' /etc/fstab").splitlines()
    assert homes == [f"{operators_line},nosuid,nodev 0 0"]


def test_compilers_are_roots() -> None:
    if not on_machine("command -v as; true"):
        pytest.skip("this machine has no compiler")
    assert "assembler" in on_machine("as --version")
    assert "ermission denied" in on_machine("runuser -u nobody -- as --version 2>&1; true")


def test_a_cron_that_comes_later_is_closed_too() -> None:
    on_machine(f"{APT} install --no-install-recommends cron at >/dev/null 2>&1")
    try:
        modes = on_machine("stat -c '%a %U %n' /etc/crontab /etc/cron.d /etc/cron.daily").splitlines()
        assert modes == ["600 root /etc/crontab", "700 root /etc/cron.d", "700 root /etc/cron.daily"]
        assert "not allowed" in on_machine("runuser -u nobody -- crontab -l 2>&1; true")
        assert "do not have permission" in on_machine(
            "echo true | runuser -u nobody -- at now + 1 day 2>&1; true"
        )
        assert "job 1" in on_machine("echo true | at now + 1 day 2>&1 && atq | cut -f1 | xargs atrm")
        assert "not allowed" not in on_machine("crontab -l 2>&1; true")
    finally:
        on_machine(f"{APT} purge cron at >/dev/null 2>&1")


def test_files_that_everybody_may_write_are_reported() -> None:
    path = "/opt/everybody-may-write"
    on_machine(f"touch {path} && chmod 666 {path} && rm -f /var/cache/ai-assistant-files")
    try:
        run = run_site(INVENTORY, playbook="playbooks/harden.yml")
    finally:
        on_machine(f"rm {path} /var/cache/ai-assistant-files")
    assert run.status == 0, run.output[-3000:]
    assert path in run.said


def test_passwords_are_readable_to_root_alone() -> None:
    for path in ("/etc/shadow", "/etc/gshadow", "/etc/ssh/sshd_config"):
        assert "ermission denied" in on_machine(f"runuser -u nobody -- cat {path} 2>&1; true"), path
