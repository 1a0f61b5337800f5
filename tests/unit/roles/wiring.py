"""What the shipped group_vars give to hosts that are in this group or that one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.unit.repository.project import ROOT


def shipped(folder: Path, inventory: str) -> Path:
    """Put the group_vars of ``inventory`` (example or demo) into ``folder``, without its own hosts."""
    beside = folder / "shipped"
    beside.mkdir()
    (beside / "group_vars").symlink_to(ROOT / "inventory" / inventory / "group_vars")
    (beside / "hosts.yml").write_text("assistant: {}\nmonitoring: {}\nlogging: {}\n")
    return folder


def resolve(folder: Path, play: str, hosts: dict[str, Any], **extra: object) -> dict[str, Any]:
    """Return what ``play`` wrote for each host of ``hosts``, an inventory beside the shipped one.

    ``play`` writes ``{{ folder }}/{{ inventory_hostname }}.json``. ``extra`` wins over every variable.
    """
    (folder / "hosts.json").write_text(json.dumps(hosts))
    (folder / "play.yml").write_text(play)
    given = {"folder": str(folder), "ansible_python_interpreter": sys.executable, **extra}
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("-i", str(folder / "shipped"), "-i", str(folder / "hosts.json")),
            *("-e", json.dumps(given)),
            str(folder / "play.yml"),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_CACHE_PLUGIN": "memory"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json") if path.stem != "hosts"}
