#!/usr/bin/python
"""Ansible module: a folder that holds exactly the given secret files."""

from __future__ import annotations

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: secret_directory
short_description: Keep a folder of secret files, one secret a file
description:
  - Writes all files in one call, each atomically, and removes files that are neither named nor kept.
  - Values are never returned, logged or shown in a diff; only file names are.
options:
  path: {description: The folder., type: path, required: true}
  files: {description: File name to content. No newline is added., type: dict, required: true}
  group: {description: Numeric group that may read., type: int, required: true}
  keep: {description: Names of files that somebody else writes there., type: list, elements: str, default: []}
  mode: {description: Mode of the files, octal; the folder is 0750., type: str, default: "0440"}
author: [AI assistant maintainers]
"""
EXAMPLES = r"""
- secret_directory:
    path: /etc/ai-assistant/secrets
    group: 10001
    files: {api_token: "{{ vault_api_token }}"}
"""
FOLDER_MODE = 0o750
RETURN = r"""
changed_files: {description: Names of the files written or removed., type: list, returned: always}
"""


def same(path: str, content: bytes, group: int, mode: int) -> bool:
    """Return whether the file is there with this content, root's, readable by the group alone."""
    try:
        with open(path, "rb") as stream:
            status = os.fstat(stream.fileno())
            return (
                stream.read() == content
                and status.st_mode & 0o7777 == mode
                and (status.st_uid, status.st_gid) == (os.geteuid(), group)
            )
    except FileNotFoundError:
        return False


def write(path: str, content: bytes, group: int, mode: int) -> None:
    """Put the file in place by a rename, so that a reader never sees half of it."""
    handle, partial = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            os.fchown(stream.fileno(), os.geteuid(), group)
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.rename(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "files": {"type": "dict", "required": True, "no_log": True},
            "group": {"type": "int", "required": True},
            "mode": {"type": "str", "default": "0440"},
            "keep": {"type": "list", "elements": "str", "default": [], "no_log": False},
        },
        supports_check_mode=True,
    )
    folder, group, mode = module.params["path"], module.params["group"], int(module.params["mode"], 8)
    wanted = {name: str(value).encode() for name, value in module.params["files"].items()}
    bad = [name for name in wanted if os.path.basename(name) != name or name.startswith(".")]
    if bad:
        module.fail_json(msg=f"not plain file names: {bad}")

    there = os.path.isdir(folder)
    status = os.stat(folder) if there else None
    folder_right = status is not None and (status.st_mode & 0o7777, status.st_gid) == (FOLDER_MODE, group)
    kept = set(wanted) | set(module.params["keep"])
    stale = sorted(set(os.listdir(folder)) - kept) if there else []
    outdated = sorted(n for n, c in wanted.items() if not same(os.path.join(folder, n), c, group, mode))

    if not module.check_mode:
        if not folder_right:
            os.makedirs(folder, mode=FOLDER_MODE, exist_ok=True)
            os.chown(folder, os.geteuid(), group)
            os.chmod(folder, FOLDER_MODE)
        for name in outdated:
            write(os.path.join(folder, name), wanted[name], group, mode)
        for name in stale:
            os.unlink(os.path.join(folder, name))
    module.exit_json(changed=bool(outdated or stale or not folder_right), changed_files=outdated + stale)


if __name__ == "__main__":
    main()
