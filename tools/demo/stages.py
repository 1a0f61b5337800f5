"""The stages of ``make demo``, each named, timed and explained when it fails."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.machines.machine import ensure_machine
from tools.controller.artifacts import Artifacts
from tools.controller.cache import BUILD, ROOT
from tools.controller.command import capture
from tools.controller.engine import ensure_engine
from tools.controller.failure import StageFailure
from tools.controller.model import DEMO_MODEL
from tools.controller.packages import ensure_packages
from tools.controller.rootfs import ensure_base_image
from tools.controller.venv import VENV, ensure_engine_in_venv, ensure_venv
from tools.controller.wheels import engine_wheel, ensure_wheelhouse
from tools.demo.deployment import Deployment
from tools.demo.emulators import ensure_emulators
from tools.demo.playbook import bootstrap, play
from tools.demo.secrets_file import ensure_secrets

_T = TypeVar("_T")
_STAGES = 8


@dataclass
class Stages:
    """Runs stages one after another and keeps how long each took (seconds)."""

    timings: dict[str, float] = field(default_factory=dict)

    def run(self, name: str, action: Callable[[], _T], describe: Callable[[_T], str] = lambda _: "") -> _T:
        """Run one stage.

        Raises:
            StageFailure: As the action raised it, with the stage's name put in front.
        """
        number = len(self.timings) + 1
        print(f"[{number}/{_STAGES}] {name} ...", flush=True)
        start = time.monotonic()
        try:
            result = action()
        except StageFailure as failure:
            raise StageFailure(f"stage {number} ({name}) failed: {failure.why}", failure.remedy) from failure
        self.timings[name] = time.monotonic() - start
        detail = describe(result)
        print(f"      done in {self.timings[name]:.1f} s{': ' + detail if detail else ''}", flush=True)
        return result


def _controller() -> str:
    ensure_packages({"openssh-client": "ssh", "ca-certificates": "/etc/ssl/certs/ca-certificates.crt"})
    return ensure_engine()


def fetch_ca(deployment: Deployment) -> None:
    """Fetch the certificate authority that the machine made for its self-signed mode.

    Raises:
        StageFailure: The file is not there or the machine does not answer.
    """
    status, output = capture(deployment.machine.as_root("cat /etc/ai-assistant/tls/ca.crt"))
    if status != 0:
        raise StageFailure(f"cannot read the machine's CA file: {output.strip()}", "see the log of site.yml")
    deployment.ca_file.write_text(output)


def _conversation(info: Path) -> None:
    done = subprocess.run(  # noqa: S603 - a fixed command line
        [str(VENV / "bin" / "python"), "-m", "tests.end_to_end.conversation", str(info)],
        cwd=ROOT,
        check=False,
    )
    if done.returncode != 0:
        raise StageFailure(
            "the conversation did not succeed (its own message is above)",
            "on the machine: `docker logs ai-core`, `tail /var/log/nginx/error.log`; here: emulators.log",
        )


def write_info(deployment: Deployment) -> Path:
    """Write the deployment's description (with its throwaway secrets, mode 0600) and return the file."""
    path = deployment.folder / "info.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(deployment.info(), indent=2) + "\n")
    return path


def prepare_machine(name: str, artifacts: Artifacts, memory: str = "") -> Deployment:
    """Start the machine and write its inventory; the same for the demo and for molecule.

    Args:
        name: The machine's name.
        artifacts: What its inventory points to.
        memory: Memory limit in Docker's notation (``512m``); empty for none.

    Raises:
        StageFailure: The machine did not come up.
    """
    machine = ensure_machine(name, memory)
    deployment = Deployment(machine, ensure_secrets(machine.folder / "secrets.json"))
    deployment.write_inventory(artifacts)
    write_info(deployment)
    return deployment


def demonstrate(name: str) -> None:
    """Go from this host to a conversation with the assistant on the machine ``name``, and say what was done.

    Raises:
        StageFailure: A stage failed; the text says which and why, the remedy what to do.
    """
    stages = Stages()
    logs = BUILD / "logs"
    began = time.monotonic()
    stages.run("this host: packages and Docker engine", _controller, lambda version: f"Docker {version}")
    stages.run("virtual environment .venv", ensure_venv)
    base, archive = stages.run(
        "base image from the distribution's packages", ensure_base_image, lambda made: made[0]
    )
    wheelhouse = stages.run("wheels, llama-cpp-python compiled once", lambda: ensure_wheelhouse(base))
    ensure_engine_in_venv(engine_wheel(wheelhouse))
    artifacts = Artifacts(base, archive, wheelhouse, DEMO_MODEL)
    deployment = stages.run(
        f"throwaway machine {name}", lambda: prepare_machine(name, artifacts), lambda made: made.machine.ipv4
    )
    ensure_emulators(deployment)
    log = logs / f"{name}-site.log"
    log.unlink(missing_ok=True)
    stages.run(
        "pyinfra ops/bootstrap.py: Python and the operator",
        lambda: bootstrap(deployment, logs / f"{name}-bootstrap.log"),
    )
    stages.run("ansible-playbook site.yml", lambda: play(deployment, log), lambda totals: totals)
    fetch_ca(deployment)
    stages.run("conversation through the front door", lambda: _conversation(write_info(deployment)))
    _summary(deployment, stages.timings, time.monotonic() - began)


def _summary(deployment: Deployment, timings: dict[str, float], total: float) -> None:
    width = max(map(len, timings))
    print("\nHow long each stage took")
    for stage, seconds in timings.items():
        print(f"  {stage:<{width}}  {seconds:7.1f} s")
    print(f"  {'all of it':<{width}}  {total:7.1f} s")
    info = deployment.info()
    print(f"\nWeb chat:      {info['web_chat_url']}   (certificate authority: {deployment.ca_file})")
    print(f"Log in:        {' '.join(deployment.machine.ssh_command())}")
    print("For scripts:   make -s demo-info")
    print("Remove it all: make demo-down")
    print("Next:          cp -r inventory/example inventory/production   and docs/install.md", flush=True)
    report = BUILD / "demo"
    report.mkdir(parents=True, exist_ok=True)
    (report / "timings.json").write_text(json.dumps({**timings, "total": total}, indent=2) + "\n")
    sys.stdout.flush()
