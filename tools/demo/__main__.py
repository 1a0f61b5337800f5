"""``python -m tools.demo up|down|info|machine|ca``: what the Makefile and molecule call."""

from __future__ import annotations

import argparse
import sys

from tools.controller.artifacts import ensure_artifacts
from tools.controller.cache import BUILD
from tools.controller.failure import StageFailure
from tools.demo.stages import demonstrate, fetch_ca, prepare_machine, write_info
from tools.demo.throwaway import prepare_deployment, remove_deployment


def _down(name: str) -> None:
    removed = remove_deployment(name)
    print("\n".join(f"removed {what}" for what in removed) or f"{name}: nothing to remove")


def _info(name: str) -> None:
    path = BUILD / "machines" / name / "info.json"
    if not path.exists():
        raise StageFailure(f"{name} has not been made", "run `make demo` first")
    print(path.read_text(), end="")


def _machine(name: str) -> None:
    print(prepare_deployment(name).machine.ipv4)


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
