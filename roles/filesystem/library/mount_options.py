#!/usr/bin/python
"""Ansible module: folders as mounts with restricting options, now and after a boot."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: mount_options
short_description: Give folders restricting mount options, through fstab, and at once
description:
  - A folder without a file system of its own gets a line in a marked block at the end of fstab. It is a
    tmpfs, or a bind mount of the folder onto itself.
  - A line that an operator wrote stays; missing options are added to it, or reported. What a unit or a
    container's engine mounted is given the options now and reported.
  - A tmpfs is given a copy of what the folder holds. Where a program uses the folder, it is a bind mount
    until the next boot.
options:
  mounts:
    description: The folders.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: The folder., type: path, required: true}
      kind: {description: How it is mounted where nothing does it., type: str, required: true}
      options: {description: The options that it must have., type: list, elements: str, required: true}
      size: {description: Size of a tmpfs., type: str}
  operator_lines: {description: Add missing options to an operator's lines., type: bool, default: true}
  state: {description: absent removes the block, not the mounts., type: str, default: present}
  fstab: {description: The file., type: path, default: /etc/fstab}
author: [AI assistant maintainers]
"""
EXAMPLES = r"""
- mount_options:
    mounts:
      - {path: /tmp, kind: tmpfs, size: 25%, options: [nosuid, nodev, noexec]}
      - {path: /home, kind: bind, options: [nosuid, nodev]}
"""
RETURN = r"""
notes: {description: What was left out or put off, and why., type: list, returned: always}
done: {description: What was written and mounted., type: list, returned: always}
"""


@dataclass
class Plan:
    """What fstab shall hold, and what is put in force.

    Attributes:
        lines: the operator's lines, options added.
        block: the role's own.
        notes: what is left out, and why.
        force: the folders with the options that they get now.
    """

    lines: list[str]
    block: list[str]
    notes: list[str]
    force: list[dict]


BEGIN, END = "# BEGIN ai-assistant (role filesystem)", "# END ai-assistant (role filesystem)"
UNITS = (
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
OPPOSITES = {"noexec": "exec", "nosuid": "suid", "nodev": "dev"}
FLAGS = {"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "nosymfollow"}
# A boot goes on where one fails, and waits for it where it does not.
COMMON = ["nofail", "x-systemd.before=local-fs.target"]

# Fills the tmpfs first: what was there, this module's own files among it, must be there at every moment.
REPLACE = """
set -e
new=$(mktemp -d -p /run)
mount -t tmpfs -o "$2" tmpfs "$new"
find "$1" -mindepth 1 -maxdepth 1 ! -name 'systemd-private-*' -exec cp -a -t "$new" {} +
mount --bind "$new" "$1"
umount "$new"
rmdir "$new"
"""


def own_line(mount: dict) -> str:
    """Return fstab's line for a folder that has no file system of its own."""
    path, options = mount["path"], ",".join([*mount["options"], *COMMON])
    if mount["kind"] == "bind":
        return f"{path} {path} none bind,{options} 0 0"
    if mount["kind"] == "api":  # systemd mounts it early and gives it fstab's options
        return f"tmpfs {path} tmpfs {','.join(mount['options'])} 0 0"
    return f"tmpfs {path} tmpfs mode=1777,size={mount['size']},{options} 0 0"


def without_block(lines: list[str]) -> tuple[list[str], list[str]]:
    """Return the operator's lines, and those of the block."""
    if BEGIN not in lines or END not in lines:
        return lines, []
    first, last = lines.index(BEGIN), lines.index(END)
    return lines[:first] + lines[last + 1 :], lines[first + 1 : last]


def operator_entry(lines: list[str], path: str) -> int | None:
    """Return the number of the operator's line for the folder."""
    for number, line in enumerate(lines):
        words = line.split()
        if len(words) >= 4 and not words[0].startswith("#") and (words[1].rstrip("/") or "/") == path:
            return number
    return None


def merge(line: str, options: list[str]) -> tuple[str, list[str]]:
    """Return the line with the missing options, and those whose opposite the operator asked for."""
    before, word, rest = re.findall(r"(\s*\S+\s+\S+\s+\S+\s+)(\S+)(.*)", line)[0]
    present = word.split(",")
    refused = [each for each in options if OPPOSITES.get(each) in present]
    missing = [each for each in options if each not in present and each not in refused]
    return f"{before}{','.join(present + missing)}{rest}", refused


def live_mounts(text: str) -> dict[str, tuple[set[str], str]]:
    """Return each mount point's options and type from the text of mountinfo; the last one lies on top."""
    result = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        words = left.split()
        result[words[4].replace("\\040", " ")] = (set(words[5].split(",")), right.split()[0])
    return result


def may_mount() -> bool:
    """Return whether the kernel lets this process mount at all (CAP_SYS_ADMIN, number 21)."""
    with open("/proc/self/status", encoding="ascii") as stream:
        return bool(int(re.findall(r"CapEff:\s+(\w+)", stream.read())[0], 16) >> 21 & 1)


def users(path: str, proc: str = "/proc") -> list[str]:
    """Return the programs that would miss the folder: with an open file, their place or a socket in it."""
    inside, found = re.compile(rf"{re.escape(path)}/(?!systemd-private-)"), set()
    for number in filter(str.isdigit, os.listdir(proc)):
        links = [f"{proc}/{number}/cwd"]
        try:
            links += [f"{proc}/{number}/fd/{name}" for name in os.listdir(f"{proc}/{number}/fd")]
            if any(inside.match(os.readlink(link)) for link in links):
                with open(f"{proc}/{number}/comm", encoding="utf-8") as stream:
                    found.add(stream.read().strip())
        except OSError:
            continue  # it has ended
    with open(f"{proc}/net/unix", encoding="utf-8") as stream:
        sockets = [words[7] for words in map(str.split, stream) if len(words) > 7]
    found |= {f"socket {name}" for name in sockets if inside.match(name)}
    return sorted(found)


def foreign(mount: dict, live_type: str, units: tuple[str, ...] = UNITS) -> bool:
    """Return whether something else than fstab mounts the folder, as a unit or a container's engine does."""
    path, kind = mount["path"], mount["kind"]
    if kind == "api" or os.stat(path).st_dev == os.stat(os.path.dirname(path)).st_dev:
        return False  # part of its parent's file system: nothing more than a bind mount
    name = path.strip("/").replace("/", "-") + ".mount"
    return (
        kind == "bind" or live_type != "tmpfs" or any(os.path.exists(f"{folder}/{name}") for folder in units)
    )


def plan(params: dict, lines: list[str], live: dict) -> Plan:
    """Return what fstab shall hold and which options are put in force."""
    result = Plan(lines, [], [], [])
    for mount in params["mounts"]:
        path, wanted = mount["path"], mount["options"]
        named = f"{','.join(wanted)} on {path}"
        number = operator_entry(result.lines, path)
        if os.path.islink(path) or not os.path.isdir(path):
            result.notes.append(f"{named}: it is no folder of its own")
            continue
        if number is not None:
            merged, refused = merge(result.lines[number], wanted)
            if refused:
                result.notes.append(
                    f"{','.join(refused)} on {path}: its line in /etc/fstab asks for the opposite"
                )
            if merged != result.lines[number] and not params["operator_lines"]:
                result.notes.append(f"{named}: its line in /etc/fstab is yours; add them there")
                continue
            result.lines = [*result.lines[:number], merged, *result.lines[number + 1 :]]
            wanted = [each for each in wanted if each not in refused]
        elif path in live and foreign(mount, live[path][1]):
            result.notes.append(
                f"{named} after a boot: something else than /etc/fstab mounts it; add them there"
            )
        else:
            result.block.append(own_line(mount))
        result.force.append({**mount, "options": wanted})
    return result


def write(module: AnsibleModule, path: str, text: str) -> None:
    """Put fstab in place by a rename, with the mode it had."""
    handle, partial = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(partial, os.stat(path).st_mode & 0o7777 if os.path.exists(path) else 0o644)
    module.atomic_move(partial, path)


class Live:
    """The mounts that are in force, and the commands that change them."""

    def __init__(self, module: AnsibleModule) -> None:
        """Read them."""
        self.module = module
        self.done: list[str] = []
        self.notes: list[str] = []
        with open("/proc/self/mountinfo", encoding="utf-8") as stream:
            self.mounts = live_mounts(stream.read())

    def run(self, what: str, *commands: list[str]) -> None:
        """Run commands unless this is a check; fails the module where one fails."""
        self.done.append(what)
        for command in commands if not self.module.check_mode else ():
            status, out, err = self.module.run_command(command)
            if status:
                self.module.fail_json(
                    msg=f"{' '.join(command)} failed: {(err or out).strip()}. look with findmnt, mend it, "
                    "and run this again, or leave the folder out of the role's variables."
                )

    def force(self, mount: dict, line: str | None, resized: bool) -> None:
        """Bring the folder's mount into the state that fstab has."""
        path, wanted = mount["path"], mount["options"]
        there = self.mounts.get(path)
        if there is None and line is not None:
            busy = users(path) if mount["kind"] == "tmpfs" else []
            if mount["kind"] == "bind":
                self.run(f"mounted {path}", ["mount", path])
            elif not busy:
                self.run(f"mounted {path}", ["sh", "-c", REPLACE, "sh", path, line.split()[3]])
            else:
                who = ", ".join(busy[:3])
                self.notes.append(
                    f"a tmpfs on {path} before the next boot: {who} uses it (the options hold already)"
                )
                options = f"remount,bind,{','.join(wanted)}"
                self.run(f"bound {path}", ["mount", "--bind", path, path], ["mount", "-o", options, path])
        elif there is not None:
            lacking = [each for each in wanted if each not in there[0]]
            if lacking:
                flags = sorted((there[0] & FLAGS) | set(wanted))
                options = f"remount,bind,{','.join(flags)}"
                self.run(f"{path}: {','.join(lacking)}", ["mount", "-o", options, path])
            if mount["kind"] == "tmpfs" and line is not None and there[1] != "tmpfs":
                self.notes.append(f"a tmpfs on {path} before the next boot (the options hold already)")
            if resized and there[1] == "tmpfs":
                size = f"size={mount['size']}"
                self.run(f"{path}: {size}", ["mount", "-o", f"remount,{size}", path])


def main() -> None:
    """Run the module."""
    mount = {
        "path": {"type": "path", "required": True},
        "kind": {"type": "str", "choices": ["tmpfs", "bind", "api"], "required": True},
        "options": {"type": "list", "elements": "str", "required": True},
        "size": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "mounts": {"type": "list", "elements": "dict", "options": mount, "required": True},
            "operator_lines": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "fstab": {"type": "path", "default": "/etc/fstab"},
        },
        supports_check_mode=True,
    )
    fstab, present = module.params["fstab"], module.params["state"] == "present"
    if present and not may_mount():
        folders = ", ".join(each["path"] for each in module.params["mounts"])
        why = "this container may not mount (no CAP_SYS_ADMIN)"
        module.exit_json(changed=False, done=[], notes=[f"mount options of {folders}: {why}"])
    old = ""
    if os.path.exists(fstab):
        with open(fstab, encoding="utf-8") as stream:
            old = stream.read()
    live = Live(module)
    lines, old_block = without_block(old.splitlines())
    made = Plan(lines, [], [], [])
    if present:
        made = plan(module.params, lines, live.mounts)
        live.notes = made.notes
    new = "\n".join([*made.lines, *([BEGIN, *made.block, END] if made.block else [])]) + "\n"
    written = new.split() != old.split()
    if written and not module.check_mode:
        write(module, fstab, new)
    if written and os.path.isdir("/run/systemd/system") and fstab == "/etc/fstab":
        live.run("read fstab", ["systemctl", "daemon-reload"])
    for each in made.force if fstab == "/etc/fstab" else []:
        line = own_line(each) if own_line(each) in made.block else None
        live.force(each, line, resized=line is not None and bool(old_block) and line not in old_block)
    header = {"before_header": fstab, "after_header": fstab}
    text = {"before": old, "after": new, **header} if written else {}
    module.exit_json(
        changed=written or bool(live.done),
        done=live.done,
        notes=live.notes,
        diff=[text, {"prepared": "\n".join(live.done)}],
    )


if __name__ == "__main__":
    main()
