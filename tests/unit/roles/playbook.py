"""Run a few tasks with a role's variables on this machine, as Ansible itself would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.unit.repository.project import ROOT


def run_tasks(folder: Path, tasks: list[dict[str, Any]], variables: dict[str, Any] | None = None) -> str:
    """Run ``tasks`` on localhost and return what Ansible printed; fails the test where Ansible fails.

    ``variables`` win over every other, as an operator's ``--extra-vars`` do.
    """
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": True,
        "gather_subset": ["!all", "min", "virtual"],
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": tasks,
    }
    playbook = folder / "playbook.json"
    playbook.write_text(json.dumps([play]))
    extra = folder / "extra.json"
    extra.write_text(json.dumps(variables or {}))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_CACHE_PLUGIN": "memory",
        "ANSIBLE_STRATEGY": "linear",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
    }
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "--inventory=localhost,",
            f"--extra-vars=@{extra}",
            str(playbook),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def render(folder: Path, role: str, template: str, values: dict[str, Any]) -> str:
    """Render a role's template with its defaults, its vars and then ``values``."""
    target = folder / "rendered"
    run_tasks(
        folder,
        [
            {"ansible.builtin.include_vars": str(ROOT / "roles" / role / "defaults/main.yml")},
            {"ansible.builtin.include_vars": str(ROOT / "roles" / role / "vars/main.yml")},
            {
                "ansible.builtin.template": {
                    "src": str(ROOT / "roles" / role / "templates" / template),
                    "dest": str(target),
                    "mode": "0600",
                }
            },
        ],
        values,
    )
    return target.read_text()
