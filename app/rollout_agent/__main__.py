"""``python3 -m rollout_agent run|check``: the service, and a look at its configuration."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from .agent import Agent
from .config import read_config
from .engine import Engine
from .errors import ConfigError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 where the configuration cannot be used."""
    parser = argparse.ArgumentParser(prog="python3 -m rollout_agent", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("/etc/ai-assistant/rollout-agent.json"))
    parser.add_argument("what", choices=["run", "check"], help="serve; or check the configuration")
    options = parser.parse_args(arguments)
    try:
        config = read_config(options.config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    if options.what == "check":
        print("the configuration is usable")
        return 0
    # The journal has the time.
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
    Agent(config, Engine()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
