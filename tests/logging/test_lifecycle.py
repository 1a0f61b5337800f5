"""The lifecycle policy before Elasticsearch's own judges (x-pack-core of the deployed version)."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.logging.install import contents
from tests.logging.node import java_home
from tools.elastic.nodes import FOLDER, ensure_nodes

POLICY = contents("lifecycle_policies")["ai-assistant-logs"]


def judged(policy: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what PolicyCheck says of a policy."""
    home = ensure_nodes().distribution
    file = folder / "policy.json"
    file.write_text(json.dumps(policy))
    classes = f"{home / 'lib'}/*:{home / 'modules' / 'x-pack-core'}/*"
    return subprocess.run(
        [f"{java_home()}/bin/java", "-cp", classes, str(FOLDER / "PolicyCheck.java"), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_policy_is_right(tmp_path: Path) -> None:
    answer = judged(POLICY, tmp_path)
    assert answer.returncode == 0, answer.stderr
    hot, delete = answer.stdout.splitlines()
    assert (hot, delete) == ("hot 0s [set_priority, rollover]", "delete 30d [delete]")


def _unknown_action(phases: dict[str, Any]) -> None:
    phases["delete"]["actions"]["remove"] = {}


def _no_number(phases: dict[str, Any]) -> None:
    phases["delete"]["min_age"] = "thirty days"


def _no_size(phases: dict[str, Any]) -> None:
    phases["hot"]["actions"]["rollover"]["max_primary_shard_size"] = "1 gigabyte"


def _rollover_too_late(phases: dict[str, Any]) -> None:
    phases["delete"]["actions"]["rollover"] = phases["hot"]["actions"].pop("rollover")


@pytest.mark.parametrize("spoil", [_unknown_action, _no_number, _no_size, _rollover_too_late])
def test_a_wrong_policy_is_told_from_a_right_one(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], None]
) -> None:
    policy = copy.deepcopy(POLICY)
    spoil(policy["policy"]["phases"])
    answer = judged(policy, tmp_path)
    assert answer.returncode != 0
    assert "Exception" in answer.stderr
