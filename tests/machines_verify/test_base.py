"""A host on which nothing can be installed now: a clear message, no change, and the next run repairs it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines_verify.machine_access import on_machine
from tests.machines_verify.site_run import SiteRun, run_site

INVENTORY = Path(os.environ["DEMO_INFO"]).parent / "inventory"


def _refused(run: SiteRun, words: list[str]) -> None:
    assert run.status != 0
    assert run.changed == 0, run.output[-3000:]
    for word in [*words, "main.yml", "example"]:
        assert word in run.said, f"{word!r} is not in: {run.output[-3000:]}"


@pytest.fixture
def filled(request: pytest.FixtureRequest) -> Iterator[int]:
    """A /tmp of 24 MiB with so many of them free."""
    free: int = request.param
    on_machine("mount -t tmpfs -o size=24m tmpfs /tmp")
    on_machine(f"dd if=/dev/zero of=/tmp/fill bs=1M count={24 - free} 2>/dev/null; true")
    assert on_machine("df -m --output=avail /tmp | tail -n 1").strip() == str(free)
    yield free
    on_machine("umount /tmp")


@pytest.mark.parametrize("filled", [10], indirect=True, ids=["little room"])
def test_too_little_room_is_named_with_what_to_do(filled: int) -> None:
    _refused(run_site(INVENTORY), [f"/tmp has {filled} MiB free", "base_minimum_free_mb", "apt-get clean"])


@pytest.mark.parametrize("filled", [0], indirect=True, ids=["none"])
def test_a_full_disk_is_named_before_ansible_needs_room(filled: int) -> None:
    run = run_site(INVENTORY)
    assert run.status != 0
    assert run.changed == 0
    for words in ("is full: /tmp", "not even Ansible", "apt-get clean", "example"):
        assert words in run.said, run.output[-3000:]


@pytest.fixture
def lock_holder() -> Iterator[str]:
    """A program that has dpkg's lock, as the nightly updates have; its process number."""
    program = (
        "import fcntl, time; f = open('/var/lib/dpkg/lock-frontend', 'r+b'); "
        "fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(300)"
    )
    on_machine(f'systemd-run --quiet --unit=lock-holder python3 -c "{program}"')
    yield on_machine("sleep 1; systemctl show --value --property MainPID lock-holder.service").strip()
    on_machine("systemctl stop lock-holder.service; true")


def test_a_program_that_holds_the_lock_is_named(lock_holder: str) -> None:
    run = run_site(INVENTORY, "-e", "base_apt_lock_seconds=5")
    _refused(
        run, [f"process {lock_holder} (", "python3", "/var/lib/dpkg/lock-frontend", "base_apt_lock_seconds"]
    )


def test_a_lock_that_is_let_go_is_waited_for(lock_holder: str) -> None:
    on_machine("systemd-run --quiet --on-active=8 systemctl stop lock-holder.service")
    run = run_site(INVENTORY, playbook="playbooks/bootstrap.yml")
    assert run.status == 0 and run.changed == 0, run.output[-3000:]
    assert "RETRYING" in run.output


def test_an_interrupted_installation_is_finished() -> None:
    on_machine("cd /root && apt-get download -qq ed 2>/dev/null && dpkg --unpack ed_*.deb && rm ed_*.deb")
    try:
        assert on_machine("dpkg-query -W -f='${db:Status-Abbrev}' ed").startswith("iU")
        run = run_site(INVENTORY, playbook="playbooks/bootstrap.yml")
        assert run.status == 0, run.output[-3000:]
        assert on_machine("dpkg-query -W -f='${db:Status-Abbrev}' ed").startswith("ii")
    finally:
        on_machine("dpkg --purge ed")


def test_services_are_restarted_without_a_question_and_docker_is_not() -> None:
    """All of needrestart's configuration is read, as it does itself."""
    program = (
        "our %nrconf = (verbosity => 0); our $LOGPREF; do '/etc/needrestart/needrestart.conf'; die $@ if $@; "
        "for my $name ('docker.service', 'containerd.service', 'nginx.service') "
        "{ print grep({ $name =~ $_ } keys %{$nrconf{override_rc}}) ? 'kept ' : 'restarted ' } "
        "print $nrconf{restart}"
    )
    assert on_machine(f'perl -e "{program}"'.replace("$", "\\$")) == "kept kept restarted a"


def test_security_updates_are_looked_for_in_the_security_archive() -> None:
    said = on_machine("unattended-upgrade --dry-run --debug 2>&1 | grep -i '^Allowed origins'")
    assert "security" in said.lower()
