#!/usr/bin/python
"""Ansible module: what a model file is, by its header, and what memory it needs."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

# Mitogen carries only what a module names itself, not what that imports in turn.
import ansible.module_utils.gguf
import ansible.module_utils.gguf_reader
import ansible.module_utils.gguf_tables  # noqa: F401
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.fit import inspect
from ansible.module_utils.versions import CURRENT, NOTE

DOCUMENTATION = r"""
module: model_facts
short_description: Read the header of a GGUF file
description:
  - Reads only; the same in check mode.
  - The SHA-256 that an earlier run noted beside the file (.NAME.sha256) is taken while it is the newer one.
options:
  path: {description: The file., type: path, required: true}
  checksum: {description: Give its SHA-256 too., type: bool, default: false}
  context_tokens: {description: Longest conversation., type: int, default: 2048}
  conversations: {description: How many are answered at once., type: int, default: 4}
  memory_bytes: {description: Memory there is; 0 does not judge., type: int, default: 0}
author: [AI assistant maintainers]
"""
EXAMPLES = r"""
- model_facts: {path: /data/ai-models/assistant-q4_0.gguf, memory_bytes: 4000000000}
"""
RETURN = r"""
exists: {description: Whether it is a file., type: bool, returned: always}
free_bytes: {description: Room on the file system that it is on or would be on., type: int, returned: always}
current: {description: The version that current.gguf leads to; empty for none., type: str, returned: always}
promoted: {description: What a rollout noted of its promotion (.promoted.json)., type: dict, returned: always}
part_bytes: {description: Size of an interrupted download of it., type: int, returned: always}
size: {description: Bytes., type: int, returned: when it exists}
sha256: {description: Its SHA-256 where asked for., type: str, returned: when it exists}
error: {description: Why it cannot be served; empty where it can., type: str, returned: always}
fits: {description: Whether it fits into memory_bytes., type: bool, returned: when it can be served}
explanation: {description: The numbers on one line., type: str, returned: when it can be served}
"""


def note_of(path: str) -> str:
    """Return where the SHA-256 of ``path`` is noted, in the form that ``sha256sum -c`` reads."""
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.sha256")


def sha256_of(module: AnsibleModule, path: str) -> str:
    """Return the SHA-256 of ``path``, from its note where that can be trusted."""
    note = note_of(path)
    try:
        if os.stat(note).st_mtime_ns >= os.stat(path).st_mtime_ns:
            with open(note, encoding="ascii") as stream:
                return stream.read(64)
    except (OSError, ValueError):
        pass
    return str(module.sha256(path))


def free_bytes(path: str) -> int:
    """Return the room on the file system of ``path``, which need not exist yet."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free


def current_version(place: str) -> str:
    """Return the version that is current in the folder ``place``; empty where there is none."""
    try:
        return os.path.basename(os.readlink(os.path.join(place, CURRENT)))
    except OSError:
        return ""


def promotion(place: str) -> dict[str, Any]:
    """Return what the rollout's agent noted in ``place``: current, over, earlier, at; or nothing."""
    try:
        with open(os.path.join(place, NOTE), encoding="utf-8") as stream:
            noted = json.load(stream)
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "checksum": {"type": "bool", "default": False},
            "context_tokens": {"type": "int", "default": 2048},
            "conversations": {"type": "int", "default": 4},
            "memory_bytes": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    asked = module.params
    place, name = os.path.split(os.path.abspath(asked["path"]))
    part = os.path.join(place, f".{name}.part")
    room = {
        "free_bytes": free_bytes(place),
        "part_bytes": os.path.getsize(part) if os.path.isfile(part) else 0,
        "current": current_version(place),
        "promoted": promotion(place),
    }
    if not os.path.isfile(asked["path"]):
        module.exit_json(changed=False, exists=False, error="", **room)
    known = inspect(
        asked["path"],
        context_tokens=asked["context_tokens"],
        conversations=asked["conversations"],
        memory_bytes=asked["memory_bytes"],
    )
    try:
        known["size"] = os.path.getsize(asked["path"])
        known["sha256"] = sha256_of(module, asked["path"]) if asked["checksum"] else ""
    except OSError as error:
        known = {"error": f"it cannot be read: {error.strerror}", "size": 0, "sha256": ""}
    module.exit_json(changed=False, exists=True, **room, **known)


if __name__ == "__main__":
    main()
