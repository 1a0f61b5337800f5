"""Render a role's template with the role's own defaults and variables, by Ansible's own templar."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.unit.repository.project import ROOT

_PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: ["{{ role }}/defaults/main.yml", "{{ role }}/vars/main.yml"]
  tasks:
    - ansible.builtin.template:
        src: "{{ role }}/templates/{{ template }}"
        dest: "{{ target }}"
        mode: "0644"
"""


def render(role: str, template: str, folder: Path, values: dict[str, Any] | None = None) -> Path:
    """Render ``roles/<role>/templates/<template>`` into ``folder`` and return the file."""
    play = folder / "render.yml"
    play.write_text(_PLAY)
    target = folder / template.removesuffix(".j2")
    extra = {
        "role": str(ROOT / "roles" / role),
        "template": template,
        "target": str(target),
        "ansible_python_interpreter": sys.executable,
        **(values or {}),
    }
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            "localhost,",
            str(play),
            "-e",
            json.dumps(extra),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target
