"""Harden the machine again, as an operator would, with an accident in between."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.machines.ssh import await_turn
from tests.machines_verify.machine_access import eventually, on_machine, ssh
from tests.machines_verify.site_run import SiteRun, ansible_command, run_site

INVENTORY = Path(os.environ["DEMO_INFO"]).parent / "inventory"
PLAYBOOK = "playbooks/harden.yml"


def harden(*arguments: str) -> SiteRun:
    """Run ``playbooks/harden.yml`` to its end."""
    return run_site(INVENTORY, *arguments, playbook=PLAYBOOK)


def harden_until(holds: str, *arguments: str) -> None:
    """Run ``playbooks/harden.yml``, and kill it once the shell line ``holds`` succeeds on the machine."""
    await_turn()
    command, environment = ansible_command(INVENTORY, PLAYBOOK, *arguments)
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert eventually(lambda: "yes" in on_machine(f"if {holds}; then echo yes; fi"), 120), (
            f"never came to: {holds}"
        )
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # Mitogen's connections belong to a session of their own.
        subprocess.run(["pkill", "-9", "-f", f"ansible-playbook .*{INVENTORY}"], check=False)
    assert process.returncode == -signal.SIGKILL, "the run had ended before it was killed"
    # What Ansible left running on the host would go on without it: a cut connection ends that too.
    on_machine("pkill -9 -f '[a]nsible|[m]itogen' || true")


def reachable() -> bool:
    """Say whether the operator gets in over a new connection."""
    return ssh("true").returncode == 0
