"""Reboot the deployed machine and wait until it serves again.

``DEMO_INFO=build/machines/assistant-demo/info.json python -m tests.machines_verify.reboot`` prints what
systemd says afterwards, and ends with 1 where a unit failed or the machine does not come back.
"""

from __future__ import annotations

import subprocess
import sys

from tests.machines.ssh import await_turn
from tests.machines_verify.machine_access import (
    close_shared_connection,
    eventually,
    machine_container,
    on_machine,
    read_again,
    run_as_root,
)
from tools.controller.artifacts import ensure_artifacts
from tools.controller.engine import docker
from tools.controller.failure import StageFailure
from tools.demo.stages import prepare_machine

_STOP_SECONDS, _BACK_SECONDS, _STARTED_SECONDS = 60, 180.0, 240


class RebootError(Exception):
    """The machine did not come back as it should; the text says what is wrong."""


def _boot() -> str:
    """Return what is another one after a reboot: the kernel's boot, and when process 1 started in it."""
    done = run_as_root("cat /proc/sys/kernel/random/boot_id && cut -d' ' -f22 /proc/1/stat")
    return done.stdout if done.returncode == 0 else ""


def _boot_in_turn() -> str:
    await_turn()
    return _boot()


def reboot() -> str:
    """Reboot the machine, wait for SSH and for what it starts, and return systemd's word for its state.

    A container is restarted by the engine, which is all that a reboot is to it; its address may be another
    one afterwards, and is written to its inventory and description.

    Raises:
        RebootError: It does not come back in time, or a unit failed.
        StageFailure: The container cannot be restarted.
    """
    before = _boot()
    container = machine_container()
    close_shared_connection()
    if container:
        name = str(container["Name"]).lstrip("/")
        docker("restart", "--time", str(_STOP_SECONDS), name, timeout=_STOP_SECONDS + 60.0)
        prepare_machine(name, ensure_artifacts())
        read_again()
    else:
        run_as_root("systemctl reboot")
    if not eventually(lambda: _boot_in_turn() not in ("", before), _BACK_SECONDS):
        raise RebootError(f"the machine does not answer over SSH {_BACK_SECONDS:.0f} s after its reboot")
    state = run_as_root(f"timeout {_STARTED_SECONDS} systemctl is-system-running --wait").stdout.strip()
    if state != "running":
        failed = on_machine("systemctl --failed --no-legend --plain; systemctl list-jobs --no-legend")
        raise RebootError(f"systemd says {state or 'nothing'} after the reboot: {failed.strip()}")
    # Docker starts its containers by itself; without Docker there is nothing to wait for.
    if not eventually(lambda: not run_as_root("docker ps -q --filter health=starting").stdout, _BACK_SECONDS):
        raise RebootError(f"a container is not healthy {_BACK_SECONDS:.0f} s after the reboot: `docker ps`")
    return state


def main() -> int:
    """Reboot and return the exit status: 0, or 1 with the reason."""
    try:
        print(f"after the reboot systemd says: {reboot()}")
    except (RebootError, StageFailure, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
