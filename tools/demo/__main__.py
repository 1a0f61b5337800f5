"""``python -m tools.demo up|down|info|machine|ca``: what the Makefile and molecule call."""

from __future__ import annotations

import argparse
import sys

from tests.machines.machine import remove_machine
from tools.controller.artifacts import ensure_artifacts
from tools.controller.cache import BUILD
from tools.controller.engine import answers, ensure_engine
from tools.controller.failure import StageFailure
from tools.demo.emulators import ensure_emulators, stop_emulators
from tools.demo.playbook import bootstrap
from tools.demo.stages import demonstrate, fetch_ca, prepare_machine, write_info
from tools.demo.traces import remove_traces


def _down(name: str) -> None:
    folder = BUILD / "machines" / name
    removed = ["emulators"] if stop_emulators(folder) else []
    if not answers():
        raise StageFailure(
            "no Docker engine answers, so the machine cannot be removed", "start it: `dockerd` or systemctl"
        )
    removed += remove_machine(name) + remove_traces(name)
    print("\n".join(f"removed {what}" for what in removed) or f"{name}: nothing to remove")


def _info(name: str) -> None:
    path = BUILD / "machines" / name / "info.json"
    if not path.exists():
        raise StageFailure(f"{name} has not been made", "run `make demo` first")
    print(path.read_text(), end="")


def _machine(name: str) -> None:
    ensure_engine()
    deployment = prepare_machine(name, ensure_artifacts())
    ensure_emulators(deployment)
    bootstrap(deployment, BUILD / "logs" / f"{name}-bootstrap.log")
    print(deployment.machine.ipv4)


def _ca(name: str) -> None:
    deployment = prepare_machine(name, ensure_artifacts())
    fetch_ca(deployment)
    print(write_info(deployment))


_VERBS = {"up": demonstrate, "down": _down, "info": _info, "machine": _machine, "ca": _ca}


def main() -> int:
    """Run the command line and return the exit status: 0, or 1 after an explained failure."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("verb", choices=sorted(_VERBS))
    parser.add_argument("--name", default="assistant-demo", help="the machine's name (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        _VERBS[arguments.verb](arguments.name)
    except StageFailure as failure:
        print(f"\nERROR: {failure.why}\nWhat to do: {failure.remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; what was made so far is kept, the same command goes on from there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
