"""What is asked: a machine that was deployed, or nginx and the app as processes of this machine."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.ack.arrivals import Door
from tests.bench.ack.rig import assembled, nginx_configuration
from tests.integration.app.process import SECRETS
from tests.machines_verify.site_run import run_site
from tools.controller.failure import StageFailure

# Everybody who asks here has one address, which the proxy lets make 5 calls a second: lifted for the run.
LIFTED = {"proxy_rate_api": "1000r/s", "proxy_rate_api_burst": 1000, "proxy_connections_per_client": 1000}


@dataclass(frozen=True)
class Site:
    """An assistant's front door, the API's token, and what it is, in words."""

    door: Door
    token: str
    kind: str


@contextmanager
def process(folder: Path) -> Iterator[Site]:
    """Start nginx with the role's configuration, and the app with the demonstration's settings and model.

    Raises:
        StageFailure: a part did not start.
    """
    with assembled(folder, nginx_configuration(folder, LIFTED), []) as rig:
        yield Site(rig.door, SECRETS["api_token"], "nginx and the app as processes")


@contextmanager
def deployed(info: Path) -> Iterator[Site]:
    """Lift the proxy's limits of the machine that ``info`` describes; afterwards they are as they were.

    Args:
        info: what ``make -s demo-info`` prints, as a file beside the machine's inventory.

    Raises:
        OSError: the file cannot be read.
        StageFailure: the playbook failed.
    """
    known = json.loads(info.read_text(encoding="utf-8"))
    host = urlsplit(known["https_url"]).hostname or ""
    door = Door(host, 443, host, ssl.create_default_context(cafile=known["ca_file"]))
    inventory = info.parent / "inventory"
    try:
        _play(inventory, "--extra-vars", json.dumps(LIFTED))
        yield Site(door, known["api"]["token"], "deployed machine")
    finally:
        _play(inventory)


def _play(inventory: Path, *arguments: str) -> None:
    done = run_site(inventory, "--tags", "proxy", *arguments, playbook="playbooks/assistant.yml")
    if done.status:
        raise StageFailure(f"playbooks/assistant.yml failed:\n{done.output[-3000:]}", "make demo again")
