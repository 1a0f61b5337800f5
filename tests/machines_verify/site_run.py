"""Run ``site.yml`` and other playbooks on the deployed machine, as an operator would."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.machines.ssh import await_turn
from tools.controller.cache import ROOT
from tools.demo.playbook import ansible_environment


@dataclass(frozen=True)
class SiteRun:
    """What a run said and did."""

    status: int
    output: str

    @property
    def changed(self) -> int:
        """Changed tasks on all hosts, by Ansible's own recap; -1 where there was none."""
        counts = re.findall(r"changed=(\d+)", self.output)
        return sum(map(int, counts)) if counts else -1

    @property
    def said(self) -> str:
        """The output on one line, so that wrapped messages can be searched."""
        return re.sub(r"\s+", " ", self.output)


def ansible_command(inventory: Path, playbook: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return command line and environment of a playbook over inventory/demo and the generated inventory."""
    environment = {**os.environ, **ansible_environment(), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    command = ["ansible-playbook", "-i", str(ROOT / "inventory/demo"), "-i", str(inventory)]
    return [*command, str(ROOT / playbook), *arguments], environment


def run_site(inventory: Path, *arguments: str, playbook: str = "site.yml") -> SiteRun:
    """Run a playbook over inventory/demo and the generated inventory.

    Args:
        inventory: Folder of the generated inventory.
        arguments: More arguments of ansible-playbook, such as ``--check``.
        playbook: Its path in the repository.
    """
    await_turn()
    command, environment = ansible_command(inventory, playbook, *arguments)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    return SiteRun(done.returncode, done.stdout + done.stderr)
