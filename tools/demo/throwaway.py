"""A throwaway deployment up to the point where Ansible begins, and its end."""

from __future__ import annotations

from tests.machines.machine import remove_machine
from tools.controller.artifacts import ensure_artifacts
from tools.controller.cache import BUILD
from tools.controller.engine import answers, ensure_engine
from tools.controller.failure import StageFailure
from tools.demo.deployment import Deployment
from tools.demo.emulators import ensure_emulators, stop_emulators
from tools.demo.playbook import bootstrap
from tools.demo.stages import prepare_machine
from tools.demo.traces import remove_traces


def prepare_deployment(name: str, memory: str = "") -> Deployment:
    """Make the machine ``name`` with its inventory, its Python and operator, and the emulated platforms.

    Args:
        name: The machine's name.
        memory: Memory limit in Docker's notation (``512m``); empty for none.

    Raises:
        StageFailure: One of them could not be made; the text says which and why.
    """
    ensure_engine()
    deployment = prepare_machine(name, ensure_artifacts(), memory)
    ensure_emulators(deployment)
    bootstrap(deployment, BUILD / "logs" / f"{name}-bootstrap.log")
    return deployment


def remove_deployment(name: str) -> list[str]:
    """Remove the machine ``name`` and every trace of it; return what was there.

    The images that machines are made of go with the last machine.

    Raises:
        StageFailure: No Docker engine answers.
    """
    removed = ["emulators"] if stop_emulators(BUILD / "machines" / name) else []
    if not answers():
        raise StageFailure(
            "no Docker engine answers, so the machine cannot be removed", "start it: `dockerd` or systemctl"
        )
    return removed + remove_machine(name) + remove_traces(name)
