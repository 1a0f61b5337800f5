"""The whole of site.yml again, on a machine that has it all."""

from __future__ import annotations

import os
from pathlib import Path

from tests.machines_verify.site_run import run_site

INVENTORY = Path(os.environ["DEMO_INFO"]).parent / "inventory"


def test_another_run_changes_nothing_with_the_other_strategy() -> None:
    """Molecule's idempotence step ran the plain strategy; this one takes Mitogen."""
    run = run_site(INVENTORY)
    assert run.status == 0, run.output[-3000:]
    assert run.changed == 0, run.output[-3000:]


def test_check_mode_with_diffs_works_on_a_deployed_machine_and_foresees_nothing() -> None:
    run = run_site(INVENTORY, "--check", "--diff")
    assert run.status == 0, run.output[-3000:]
    assert run.changed == 0, run.output[-3000:]
