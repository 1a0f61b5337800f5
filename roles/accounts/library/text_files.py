#!/usr/bin/python
"""Ansible module: several text files of the system, written or edited in one call."""

from __future__ import annotations

import os
import re
import tempfile

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: text_files
short_description: Write several text files, or lines of them, in one call
description:
  - One task instead of one a file, which is what a second run's time goes into.
  - Each file is whole (content), edited (settings, lines) or absent. Owner and mode of an edited file stay.
options:
  files:
    description: The files. An edited file that is not there is made.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: Where it is. A link is followed., type: path, required: true}
      content: {description: All of its text., type: str}
      settings: {description: Name to value. The last line of a name is set, its others go., type: dict}
      separator: {description: What stands between name and value., type: str, default: " = "}
      lines:
        description: Lines by a pattern. The first match becomes the line, others go; without a line all go.
        type: list
        elements: dict
        suboptions:
          match: {description: A regular expression for whole lines., type: str, required: true}
          line: {description: The line., type: str}
          after: {description: A new line goes below the first match of this, which must exist., type: str}
      mode: {description: Octal mode of a whole file, and of one that is made., type: str, default: "0644"}
      absent: {description: Remove the file., type: bool, default: false}
      validate: {description: A program and its arguments; %s is the new file., type: list, elements: str}
author: [AI assistant maintainers]
"""
EXAMPLES = r"""
- text_files:
    files:
      - {path: /etc/profile.d/idle.sh, content: "TMOUT=900\n"}
      - {path: /etc/login.defs, separator: "\t", settings: {UMASK: "027"}}
      - {path: /etc/sudoers.d/pty, content: "Defaults use_pty\n", mode: "0440", validate: [visudo, -cf, "%s"]}
"""
RETURN = r"""
changed_files: {description: Paths of the files written or removed., type: list, returned: always}
"""


def with_setting(lines: list[str], name: str, line: str) -> list[str]:
    """Return ``lines`` with ``line`` for the setting ``name``.

    It takes the place of the last line that sets the name, else that of the last one that does so behind a #
    (a name and one value; prose is left alone), else it goes to the end.
    """
    active = [n for n, old in enumerate(lines) if re.match(rf"\s*{re.escape(name)}(\s|=|$)", old)]
    commented = re.compile(rf"#\s*{re.escape(name)}\s*[\s=]\s*\S+\s*$")
    idle = [n for n, old in enumerate(lines) if commented.match(old)]
    if not active and not idle:
        return [*lines, line]
    target = (active or idle)[-1]
    return [line if n == target else old for n, old in enumerate(lines) if n == target or n not in active]


def with_line(lines: list[str], match: str, line: str | None, after: str | None) -> list[str]:
    """Return ``lines`` with ``line`` in place of the first that matches, and without the others.

    Raises:
        ValueError: nothing matches ``after``.
    """
    pattern = re.compile(match)
    found = [n for n, old in enumerate(lines) if pattern.search(old)]
    if line is None or found:
        return [
            line if n == found[0] and line is not None else old
            for n, old in enumerate(lines)
            if n not in found or (line is not None and n == found[0])
        ]
    if after is None:
        return [*lines, line]
    for n, old in enumerate(lines):
        if re.search(after, old):
            return [*lines[: n + 1], line, *lines[n + 1 :]]
    raise ValueError(f"no line matches {after}")


def new_text(entry: dict, old: str | None) -> str | None:
    """Return what the file shall hold; None where it shall not be.

    Raises:
        ValueError: a line has no place.
    """
    if entry["absent"]:
        return None
    if entry["content"] is not None:
        return str(entry["content"])
    lines = (old or "").splitlines()
    for name, value in (entry["settings"] or {}).items():
        lines = with_setting(lines, name, f"{name}{entry['separator']}{value}")
    for each in entry["lines"] or []:
        lines = with_line(lines, each["match"], each.get("line"), each.get("after"))
    return "\n".join(lines) + "\n" if lines else ""


def read(path: str) -> str | None:
    """Return the file's text; None where there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def write(module: AnsibleModule, path: str, text: str, mode: int, validate: list[str] | None) -> None:
    """Put the text in place by a rename, if the checker takes it."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
    if validate:
        status, out, err = module.run_command([word.replace("%s", partial) for word in validate])
        if status:
            module.fail_json(msg=f"{path} would be wrong, so it was left as it was: {out}{err}".strip())
    os.chmod(partial, mode)
    module.atomic_move(partial, path)
    os.chmod(path, mode)


def main() -> None:
    """Run the module."""
    line = {"match": {"type": "str", "required": True}, "line": {"type": "str"}, "after": {"type": "str"}}
    entry = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str"},
        "settings": {"type": "dict"},
        "separator": {"type": "str", "default": " = "},
        "lines": {"type": "list", "elements": "dict", "options": line},
        "mode": {"type": "str", "default": "0644"},
        "absent": {"type": "bool", "default": False},
        "validate": {"type": "list", "elements": "str"},
    }
    module = AnsibleModule(
        argument_spec={"files": {"type": "list", "elements": "dict", "options": entry, "required": True}},
        supports_check_mode=True,
    )
    changed, diffs = [], []
    for each in module.params["files"]:
        path, whole = os.path.realpath(each["path"]), each["content"] is not None
        old = read(path)
        try:
            new = new_text(each, old)
        except ValueError as reason:
            module.fail_json(msg=f"{each['path']}: {reason}. Restore it from its package.")
        state = os.stat(path) if old is not None else None
        mode = int(each["mode"], 8) if whole or state is None else state.st_mode & 0o7777
        owned = state is None or not whole or (state.st_uid, state.st_gid) == (os.geteuid(), os.getegid())
        if new == old and owned and (state is None or state.st_mode & 0o7777 == mode):
            continue
        changed.append(each["path"])
        header = {"before_header": each["path"], "after_header": each["path"]}
        diffs.append({"before": old or "", "after": new or "", **header})
        if module.check_mode:
            continue
        if new is None:
            os.unlink(path)
            continue
        if new != old:
            write(module, path, new, mode, each["validate"])
        if whole:
            os.chown(path, os.geteuid(), os.getegid())
            os.chmod(path, mode)
    module.exit_json(changed=bool(changed), changed_files=changed, diff=diffs)


if __name__ == "__main__":
    main()
