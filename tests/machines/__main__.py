"""``python -m tests.machines up|down|info NAME``: a throwaway machine by hand."""

from __future__ import annotations

import argparse
import json
import sys

from tests.machines.machine import Machine, ensure_machine, find_machine, login_user, remove_machine
from tools.controller.failure import StageFailure


def _describe(machine: Machine) -> str:
    return json.dumps(
        {
            "name": machine.name,
            "ipv4": machine.ipv4,
            "ipv6": machine.ipv6,
            "gateway": machine.gateway,
            "key": str(machine.key),
            "known_hosts": str(machine.known_hosts),
            "ssh": " ".join(machine.ssh_command(user=login_user(machine))),
        },
        indent=2,
    )


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.machines", description=__doc__)
    parser.add_argument("verb", choices=["up", "down", "info"])
    parser.add_argument("name")
    parser.add_argument("--memory", default="", help="memory limit, e.g. 512m")
    arguments = parser.parse_args()
    try:
        if arguments.verb == "down":
            print("\n".join(remove_machine(arguments.name)) or "nothing to remove")
            return 0
        found = (
            ensure_machine(arguments.name, arguments.memory)
            if arguments.verb == "up"
            else find_machine(arguments.name)
        )
    except StageFailure as failure:
        print(f"{failure.why}\nwhat to do: {failure.remedy}", file=sys.stderr)
        return 1
    if found is None:
        print(f"{arguments.name} is not running", file=sys.stderr)
        return 1
    print(_describe(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
