"""Run the product's own entry points: pyinfra's bootstrap and ansible-playbook."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tests.machines.machine import login_user
from tests.machines.ssh import FIRST_USER
from tools.controller.cache import ROOT
from tools.controller.command import capture, run
from tools.controller.venv import VENV
from tools.demo.deployment import Deployment

_BIN = VENV / "bin"


def ansible_environment() -> dict[str, str]:
    """Return the environment for ansible-playbook: the virtual environment first, Mitogen where it loads.

    ``AI_ASSISTANT_STRATEGY=linear`` asks for Ansible's own strategy, which gives the same result more slowly.
    """
    environment = {"PATH": f"{_BIN}:{os.environ['PATH']}", "VIRTUAL_ENV": str(VENV)}
    if os.environ.get("AI_ASSISTANT_STRATEGY", "mitogen_linear") == "mitogen_linear":
        probe = "import ansible_mitogen, ansible_mitogen.plugins.strategy as s; print(list(s.__path__)[0])"
        status, output = capture([str(_BIN / "python"), "-c", probe])
        if status == 0:
            environment["ANSIBLE_STRATEGY"] = "mitogen_linear"
            environment["ANSIBLE_STRATEGY_PLUGINS"] = output.strip()
            # ansible-core 2.19 warns of every strategy plugin that is not its own; this one is asked for.
            environment["ANSIBLE_DEPRECATION_WARNINGS"] = "false"
    return environment


def bootstrap(deployment: Deployment, log: Path) -> None:
    """Give the machine its Python and its operator: pyinfra, over the inventory that Ansible uses.

    A bare machine admits root alone, a hardened one does not.

    Raises:
        StageFailure: pyinfra could not reach or prepare the machine.
    """
    inventories = os.pathsep.join(deployment.inventories[1::2])
    user = login_user(deployment.machine)
    environment = {**ansible_environment(), "AI_ASSISTANT_INVENTORY": inventories}
    if user == FIRST_USER:
        environment["AI_ASSISTANT_BOOTSTRAP_USER"] = user
    run(
        [str(_BIN / "pyinfra"), "-y", "ops/inventory.py", "ops/bootstrap.py"],
        log=log,
        what="pyinfra ops/bootstrap.py",
        cwd=ROOT,
        env=environment,
        remedy=f"try `{' '.join(deployment.machine.ssh_command(user=user))}`; see the log",
    )


def play(deployment: Deployment, log: Path, arguments: Sequence[str] = (), playbook: str = "site.yml") -> str:
    """Run a playbook on the machine and return Ansible's line of totals.

    Raises:
        StageFailure: A task failed; its message is in the text.
    """
    run(
        [str(_BIN / "ansible-playbook"), *deployment.inventories, playbook, *arguments],
        log=log,
        what=f"ansible-playbook {playbook}",
        cwd=ROOT,
        env=ansible_environment(),
        line_prefix="TASK",
        remedy="the task's message above names the variable or the service; mend it and run the same again",
    )
    totals = re.findall(
        rf"^{re.escape(deployment.machine.name)}\s*:\s*(.*)$", log.read_text(errors="replace"), re.M
    )
    return " ".join(totals[-1].split()) if totals else ""
