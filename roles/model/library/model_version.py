#!/usr/bin/python
"""Ansible module: which of the model files that lie side by side is the current one."""

from __future__ import annotations

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.versions import CURRENT, NOTE, PREVIOUS, is_file, point, target

DOCUMENTATION = r"""
module: model_version
short_description: Make a model file the current one, go back to the one before, remove old ones
description:
  - current.gguf and previous.gguf are relative links in the folder. A link is written under another name and
    renamed, so that a reader finds the old version or the new one, never none.
  - What a rollout noted of its promotion (.promoted.json) is removed; who names the current version knows it.
  - Only files whose SHA-256 was noted (.NAME.sha256) are ever removed; what people put into the folder stays.
options:
  directory: {description: The folder of the versions., type: path, required: true}
  file: {description: Name of the file to make current; not with rollback., type: str, default: ""}
  sha256: {description: Its SHA-256, to be noted; empty notes nothing., type: str, default: ""}
  rollback: {description: Swap the current and the previous one., type: bool, default: false}
  keep: {description: How many versions stay besides these two., type: int, default: 1}
author: [AI assistant maintainers]
"""
EXAMPLES = r"""
- model_version: {directory: /data/ai-models, file: assistant-q4_0.gguf}
- model_version: {directory: /data/ai-models, rollback: true}
"""
RETURN = r"""
swapped: {description: Whether another version is current now., type: bool, returned: always}
current: {description: Name of the version that is current now., type: str, returned: always}
previous: {description: Name of the one before; empty where there is none., type: str, returned: always}
removed: {description: Names of the versions that were removed., type: list, returned: always}
"""


class Folder:
    """The folder and its two links. With ``dry`` nothing is written."""

    def __init__(self, path: str, dry: bool) -> None:
        """Remember where it is."""
        self.path, self.dry = path, dry

    def target(self, link: str) -> str:
        """Return the name that a link leads to; empty where there is no link or no such file."""
        return target(Path(self.path), link)

    def point(self, link: str, name: str) -> None:
        """Let ``link`` lead to ``name``; with an empty name there is no such link."""
        if not self.dry:
            point(Path(self.path), link, name)

    def note(self, name: str) -> str:
        """Return where a version's SHA-256 is noted; see the module model_facts."""
        return os.path.join(self.path, f".{name}.sha256")

    def remember(self, name: str, sha256: str) -> bool:
        """Note a version's SHA-256, or that it was used just now; return whether anything was to be done."""
        note, text = self.note(name), f"{sha256}  {name}\n"
        try:
            with open(note, encoding="ascii") as stream:
                same = stream.read() == text
            if same and os.stat(note).st_mtime_ns >= os.stat(os.path.join(self.path, name)).st_mtime_ns:
                return False
        except OSError:
            pass
        if not self.dry:
            with open(f"{note}.new", "w", encoding="ascii") as stream:
                stream.write(text)
            os.rename(f"{note}.new", note)
        return True

    def old(self, keep: int, spared: set[str]) -> list[str]:
        """Return the versions that are too many, the least recently noted last."""
        notes = [
            name for name in os.listdir(self.path) if name.startswith(".") and name.endswith(".gguf.sha256")
        ]
        notes.sort(key=lambda name: os.stat(os.path.join(self.path, name)).st_mtime_ns, reverse=True)
        names = [name[1 : -len(".sha256")] for name in notes]
        return [name for name in names if name not in spared][keep:]

    def remove(self, name: str) -> None:
        """Remove a version and its note."""
        for path in (os.path.join(self.path, name), self.note(name)):
            if not self.dry and os.path.lexists(path):
                os.unlink(path)

    def acknowledge(self) -> bool:
        """Remove the note of a promotion; return whether there was one."""
        path = os.path.join(self.path, NOTE)
        there = os.path.lexists(path)
        if there and not self.dry:
            os.unlink(path)
        return there


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "file": {"type": "str", "default": ""},
            "sha256": {"type": "str", "default": ""},
            "rollback": {"type": "bool", "default": False},
            "keep": {"type": "int", "default": 1},
        },
        supports_check_mode=True,
    )
    asked = module.params
    folder = Folder(asked["directory"], module.check_mode)
    current, previous = folder.target(CURRENT), folder.target(PREVIOUS)
    previous = "" if previous == current else previous
    wanted = previous if asked["rollback"] else asked["file"]
    if asked["rollback"] and not previous:
        module.fail_json(
            msg=f"{asked['directory']} has no previous version to go back to (current: {current or 'none'}). "
            "Name one instead: model_source and model_file, then playbooks/model.yml without rollback."
        )
    there = is_file(Path(asked["directory"]), wanted)
    if not there and not module.check_mode:
        module.fail_json(msg=f"{asked['directory']} has no file {wanted!r}")
    swapped = changed = wanted != current
    if swapped:
        # The previous one first: cut off in between, the service still has its version.
        folder.point(PREVIOUS, current)
        folder.point(CURRENT, wanted)
        previous = current
    changed = folder.acknowledge() or changed
    if asked["sha256"] and there:
        changed = folder.remember(wanted, asked["sha256"].lower()) or changed
    removed = [] if asked["rollback"] or not there else folder.old(asked["keep"], {wanted, previous})
    for name in removed:
        folder.remove(name)
    changed = bool(changed or removed)
    module.exit_json(changed=changed, swapped=swapped, current=wanted, previous=previous, removed=removed)


if __name__ == "__main__":
    main()
