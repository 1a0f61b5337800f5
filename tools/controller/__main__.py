"""``python -m tools.controller venv|artifacts|checkers``: what the tests need on this host, step by step."""

from __future__ import annotations

import argparse
import sys

from tools.controller.artifacts import ensure_artifacts
from tools.controller.engine import ensure_engine
from tools.controller.failure import StageFailure
from tools.controller.packages import ensure_packages
from tools.controller.second_opinion import PROGRAMS, ensure_second_opinion
from tools.controller.venv import ensure_venv

# Package -> the program that shows it is there.
CHECKERS = {
    "chromium": "chromium",
    "chromium-driver": "chromedriver",
    # Judges role elk's compose file.
    "docker-compose": "docker-compose",
    # What the alert relay runs with on a server.
    "gunicorn": "/usr/bin/gunicorn",
    "python3-flask": "/usr/lib/python3/dist-packages/flask",
    "python3-httpx": "/usr/lib/python3/dist-packages/httpx",
    "python3-prometheus-client": "/usr/lib/python3/dist-packages/prometheus_client",
    "nginx-light": "/usr/sbin/nginx",
    "nmap": "nmap",
    "openssh-client": "ssh",
    "openssh-server": "/usr/sbin/sshd",
    "postgresql": "/usr/lib/postgresql",
    "prometheus": "promtool",
    "prometheus-alertmanager": "amtool",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "qemu-user": "qemu-x86_64",
    "wrk": "wrk",
    **PROGRAMS,
}


def main() -> int:
    """Run the command line and return the exit status: 0, or 1 after an explained failure."""
    parser = argparse.ArgumentParser(prog="python -m tools.controller", description=__doc__)
    parser.add_argument("what", choices=["venv", "artifacts", "checkers"])
    what = parser.parse_args().what
    try:
        if what == "venv":
            ensure_venv()
        elif what == "checkers":
            ensure_packages(CHECKERS, services=False)
            ensure_second_opinion()
        else:
            ensure_engine()
            ensure_artifacts()
    except StageFailure as failure:
        print(f"\nERROR: {failure.why}\nWhat to do: {failure.remedy}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
