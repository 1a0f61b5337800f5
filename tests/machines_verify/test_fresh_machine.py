"""A machine that has nothing but Python yet, and little memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.machines_verify.site_run import run_site
from tools.demo.deployment import Deployment
from tools.demo.throwaway import prepare_deployment, remove_deployment


@pytest.fixture(scope="module")
def small_machine() -> Iterator[Deployment]:
    name = "assistant-small"
    yield prepare_deployment(name, memory="512m")
    remove_deployment(name)


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
    look = small_machine.machine.as_root("for p in nginx dockerd ufw; do command -v $p; done; echo looked")
    found = subprocess.run(look, capture_output=True, text=True, check=False).stdout
    assert found == "looked\n", "check mode installed something"
