#!/usr/bin/python
"""Ansible module: owners and largest modes of the system's files, and programs that root alone may run."""

from __future__ import annotations

import glob
import grp
import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: system_files
short_description: Take permissions from files of the system, in a way that upgrades keep
description:
  - A mode is the most that is allowed; a file that allows less stays as it is. A missing file is skipped.
  - A file that a package brings is given its mode through dpkg-statoverride, also before the package comes.
    An override that is there already is an operator's and stays.
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: The file or folder., type: path, required: true}
      mode: {description: The most that is allowed, octal., type: str, required: true}
      group: {description: Its group; root where that is not there., type: str, default: root}
      override: {description: A package brings it., type: bool, default: false}
      content: {description: Its text; the file is made., type: str}
      folder: {description: Make it where it is missing., type: bool, default: false}
      absent: {description: Remove the file or the override., type: bool, default: false}
  programs: {description: Names of programs for root alone., type: list, elements: str, default: []}
  programs_state: {description: absent gives them back to everybody., type: str, default: present}
author: [AI assistant maintainers]
"""
EXAMPLES = r"""
- system_files:
    files:
      - {path: /etc/shadow, mode: "0640", group: shadow}
      - {path: /etc/cron.d, mode: "0700", override: true, folder: true}
    programs: [gcc, as]
"""
RETURN = r"""
changed_files: {description: What was changed., type: list, returned: always}
"""
OVERRIDES = "/var/lib/dpkg/statoverride"
FOLDERS = ("/usr/bin", "/usr/local/bin")


def overridden(path: str = OVERRIDES) -> set[str]:
    """Return the paths that have an override."""
    try:
        with open(path, encoding="utf-8") as stream:
            return {line.split(maxsplit=3)[3].strip() for line in stream if line.count(" ") >= 3}
    except FileNotFoundError:
        return set()


def program_files(names: list[str], folders: tuple[str, ...] = FOLDERS) -> list[str]:
    """Return the real files behind the names, with versions and machine names: x86_64-linux-gnu-gcc-12."""
    found = set()
    for folder in folders:
        for name in names:
            for pattern in (name, f"{name}-[0-9]*", f"*-linux-gnu*-{name}", f"*-linux-gnu*-{name}-[0-9]*"):
                found |= {os.path.realpath(path) for path in glob.glob(f"{folder}/{pattern}")}
    return sorted(path for path in found if os.path.isfile(path))


class SystemFiles:
    """Compares and changes files; keeps what it changed."""

    def __init__(self, module: AnsibleModule) -> None:
        """Read the overrides."""
        self.module = module
        self.changed: list[str] = []
        self.diffs: list[dict[str, str]] = []
        self.overrides = overridden()

    def note(self, path: str, before: str, after: str) -> bool:
        """Keep a change, and return whether to make it."""
        if path not in self.changed:
            self.changed.append(path)
        header = {"before_header": path, "after_header": path}
        self.diffs.append({"before": before + "\n", "after": after + "\n", **header})
        return not self.module.check_mode

    def run(self, *command: str) -> None:
        """Run a command; fails the module where it fails."""
        status, out, err = self.module.run_command(list(command))
        if status:
            self.module.fail_json(msg=f"{' '.join(command)} failed: {(err or out).strip()}")

    def content(self, path: str, text: str) -> None:
        """Write the file's text."""
        old = None
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="surrogateescape") as stream:
                old = stream.read()
        if old != text and self.note(path, old or "", text):
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)

    def override(self, path: str, mode: int, group: str) -> None:
        """Tell dpkg the mode, so that it gives it to every later version of the file."""
        if path not in self.overrides and self.note(path, "no override", f"override {mode:04o} root {group}"):
            self.run("dpkg-statoverride", "--add", "root", group, f"{mode:o}", path)

    def permissions(self, path: str, mode: int, group: str) -> None:
        """Take from the file what goes beyond the mode, and give it to root and the group."""
        if not os.path.exists(path):
            return
        state = os.stat(path)
        current = stat.S_IMODE(state.st_mode)
        allowed = current & mode
        gid = group_number(group)
        if (state.st_uid, state.st_gid, current) == (0, gid, allowed):
            return
        before = f"{pwd_name(state.st_uid)}:{state.st_gid} {current:04o}"
        if self.note(path, before, f"root:{gid} {allowed:04o}"):
            os.chown(path, 0, gid)
            os.chmod(path, allowed)

    def apply(self, each: dict) -> None:
        """Bring one file into its state."""
        path, mode = each["path"], int(each["mode"], 8)
        if each["absent"]:
            if each["override"]:
                self.release(path, mode)
            elif os.path.lexists(path) and self.note(path, "there", "absent"):
                os.unlink(path)
            return
        if each["content"] is not None:
            self.content(path, each["content"])
        if each["folder"] and not os.path.isdir(path) and self.note(path, "absent", "a folder"):
            os.mkdir(path, mode)
        if each["override"]:
            if path in self.overrides:
                return self.kept(path, mode, each["group"])
            self.override(path, mode, each["group"])
        self.permissions(path, mode, each["group"])
        return None

    def kept(self, path: str, mode: int, group: str) -> None:
        """Where the override is ours, keep the file as it says; an operator's own is left alone."""
        with open(OVERRIDES, encoding="utf-8") as stream:
            if f"root {group} {mode:o} {path}\n" in stream.read():
                self.permissions(path, mode, group)

    def release(self, path: str, mode: int) -> None:
        """Remove an override, and give the file the mode that packages give."""
        if path in self.overrides and self.note(path, "override", "no override"):
            self.run("dpkg-statoverride", "--remove", path)
            if os.path.exists(path):
                os.chmod(path, mode)


def pwd_name(uid: int) -> str:
    """Return the user's name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_number(name: str) -> int:
    """Return the group's number; root's where its package is still to come."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return 0


def main() -> None:
    """Run the module."""
    entry = {
        "path": {"type": "path", "required": True},
        "mode": {"type": "str", "required": True},
        "group": {"type": "str", "default": "root"},
        "override": {"type": "bool", "default": False},
        "content": {"type": "str"},
        "folder": {"type": "bool", "default": False},
        "absent": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "options": entry, "required": True},
            "programs": {"type": "list", "elements": "str", "default": []},
            "programs_state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    files = SystemFiles(module)
    programs = {"group": "root", "override": True, "content": None, "folder": False}
    gone = module.params["programs_state"] == "absent"
    mode = "0755" if gone else "0750"
    found = program_files(module.params["programs"])
    several = [{**programs, "path": path, "mode": mode, "absent": gone} for path in found]
    for each in [*module.params["files"], *several]:
        files.apply(each)
    module.exit_json(changed=bool(files.changed), changed_files=files.changed, diff=files.diffs)


if __name__ == "__main__":
    main()
