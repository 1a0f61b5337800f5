"""A machine that has nothing but Python yet, and little memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.machines.machine import remove_machine
from tests.machines_verify.site_run import run_site
from tools.controller.artifacts import ensure_artifacts
from tools.controller.cache import BUILD
from tools.demo.deployment import Deployment
from tools.demo.playbook import bootstrap
from tools.demo.stages import prepare_machine


@pytest.fixture(scope="module")
def small_machine() -> Iterator[Deployment]:
    name = "assistant-small"
    deployment = prepare_machine(name, ensure_artifacts(), memory="512m")
    bootstrap(deployment, BUILD / "logs" / f"{name}-bootstrap.log")
    yield deployment
    remove_machine(name)


def test_a_host_with_512_mb_is_refused_before_any_change(small_machine: Deployment) -> None:
    run = run_site(small_machine.inventory)
    assert run.status != 0
    assert run.changed == 0, run.output[-3000:]
    for word in ("base_minimum_memory_mb", "512", "main.yml", "example"):
        assert word in run.said, f"{word!r} is not in: {run.output[-3000:]}"


def test_check_mode_with_diffs_works_where_nothing_is_installed_yet(small_machine: Deployment) -> None:
    run = run_site(small_machine.inventory, "--check", "--diff", "-e", "base_minimum_memory_mb=256")
    assert run.status == 0, run.output[-3000:]
    assert run.changed > 0, "a fresh machine needs everything"
    absent = small_machine.machine.ssh_command("command", "-v", "nginx", "dockerd", "ufw")
    assert subprocess.run(absent, capture_output=True, check=False).stdout == b"", (
        "check mode installed something"
    )
