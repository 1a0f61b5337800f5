"""Translate an Ansible inventory to pyinfra's groups of hosts.

pyinfra 3 has no connector for Ansible; ``ansible-inventory --list`` is Ansible's own reading of it:
https://docs.ansible.com/ansible/latest/cli/ansible-inventory.html
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

VARIABLE = "AI_ASSISTANT_INVENTORY"
# Who logs in for ops/bootstrap.py, where the inventory's own user is not there yet.
FIRST_USER = "AI_ASSISTANT_BOOTSTRAP_USER"
DEFAULT = "inventory/example"
Host = tuple[str, dict[str, Any]]

# pyinfra's name -> Ansible's names, the first that is set wins (ansible-doc -t connection ssh).
_NAMES = {
    "ssh_hostname": ("ansible_host", "ansible_ssh_host"),
    "ssh_port": ("ansible_port", "ansible_ssh_port"),
    "ssh_user": ("ansible_user", "ansible_ssh_user"),
    "ssh_key": ("ansible_ssh_private_key_file", "ansible_private_key_file"),
}


class InventoryError(Exception):
    """The inventory cannot be read or translated; the text says where and what to do."""


def inventory_paths(value: str) -> list[str]:
    """Return the inventories named in ``value``, separated by colons or commas.

    Raises:
        InventoryError: One of them does not exist, or none is named.
    """
    paths = [part.strip() for part in re.split(r"[:,]", value) if part.strip()]
    if not paths:
        raise InventoryError(f"{VARIABLE} names no inventory; example: {VARIABLE}=inventory/mine")
    for path in paths:
        if not Path(path).exists():
            raise InventoryError(
                f"{VARIABLE} names {path}, and there is no such file; example: {VARIABLE}=inventory/mine"
            )
    return paths


def read_inventory(paths: list[str]) -> dict[str, Any]:
    """Return what ``ansible-inventory --list`` says of the inventories, later ones winning.

    Raises:
        InventoryError: Ansible is not installed or rejects an inventory.
    """
    beside = Path(sys.executable).with_name("ansible-inventory")
    command = [str(beside) if beside.exists() else "ansible-inventory", "--list"]
    for path in paths:
        command += ["-i", path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed program
    except FileNotFoundError as error:
        raise InventoryError(
            "ansible-inventory is not installed; make venv installs it, then run .venv/bin/pyinfra"
        ) from error
    if done.returncode != 0:
        raise InventoryError(f"ansible-inventory rejects {', '.join(paths)}: {done.stderr.strip()}")
    # A file that cannot be parsed is only a warning to Ansible, and its hosts would be missing silently.
    if "Unable to parse" in done.stderr or "Failed to parse" in done.stderr:
        raise InventoryError(f"ansible-inventory cannot parse {', '.join(paths)}: {done.stderr.strip()}")
    listed: dict[str, Any] = json.loads(done.stdout)
    return listed


def _known_hosts(variables: Mapping[str, Any]) -> str | None:
    """Return the known_hosts file that the SSH arguments of Ansible name."""
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        for word in shlex.split(str(variables.get(name) or "")):
            found = re.match(r"(?:-o)?UserKnownHostsFile=(.+)", word)
            if found:
                return found.group(1)
    return None


def _host_data(name: str, variables: Mapping[str, Any], first_user: str) -> dict[str, Any]:
    data: dict[str, Any] = {"ssh_hostname": name}
    for wanted, candidates in _NAMES.items():
        for candidate in candidates:
            value = variables.get(candidate)
            if value in (None, ""):
                continue
            if "{{" in str(value):
                raise InventoryError(
                    f"{candidate} of {name} is {value!r}, a template that only Ansible can work out; "
                    f"write a plain value in hosts.yml, example: {candidate}: {_EXAMPLES[wanted]}"
                )
            data[wanted] = value
            break
    if "ssh_port" in data:
        data["ssh_port"] = int(data["ssh_port"])
    if "ssh_key" in data:
        data["ssh_key"] = str(Path(str(data["ssh_key"])).expanduser())
    known_hosts = _known_hosts(variables)
    if known_hosts:
        data["ssh_known_hosts_file"] = known_hosts
    # What ops/bootstrap.py makes, in Ansible's own words.
    data["ansible_user"] = data.get("ssh_user", "")
    data["ssh_admin_users"] = variables.get("ssh_admin_users", [])
    if first_user:
        data["ssh_user"] = first_user
    # Root needs no sudo, and a bare host may not have it.
    if data.get("ssh_user", "root") != "root":
        data["_sudo"] = True
    return data


_EXAMPLES = {
    "ssh_hostname": "203.0.113.7",
    "ssh_port": "22",
    "ssh_user": "root",
    "ssh_key": "~/.ssh/id_ed25519",
}


def _members(listed: Mapping[str, Any], group: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the hosts of a group and of the groups below it."""
    entry = listed.get(group) or {}
    yield from entry.get("hosts", [])
    for child in entry.get("children", []):
        if child not in seen:
            yield from _members(listed, child, seen | {group})


def pyinfra_groups(listed: Mapping[str, Any], first_user: str = "") -> dict[str, list[Host]]:
    """Return pyinfra's groups: name -> [(host, data)], without the groups that have no host.

    Args:
        listed: What ``ansible-inventory --list`` printed.
        first_user: Who logs in instead of the inventory's own user; empty for that one.

    Raises:
        InventoryError: A connection variable is a template, or two groups differ in "-" and "_" alone.
    """
    hostvars = listed.get("_meta", {}).get("hostvars", {})
    groups: dict[str, list[Host]] = {}
    for group in listed:
        if group in ("_meta", "all", "ungrouped"):
            continue
        names = list(dict.fromkeys(_members(listed, group)))
        # pyinfra takes groups from Python variables.
        variable = re.sub(r"\W", "_", group)
        if variable in groups:
            raise InventoryError(f"two groups are both {variable} to pyinfra; rename {group}")
        if names:
            groups[variable] = [
                (name, _host_data(name, hostvars.get(name, {}), first_user)) for name in names
            ]
    return groups


def connecting_user(value: str) -> str:
    """Return the user that ``AI_ASSISTANT_BOOTSTRAP_USER`` names, or "" for the inventory's own.

    Raises:
        InventoryError: It is no user name.
    """
    name = value.strip()
    if name and not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.-]*", name):
        raise InventoryError(f"{FIRST_USER} is {value!r}, which is no user name; example: {FIRST_USER}=root")
    return name


def groups_from_environment() -> dict[str, list[Host]]:
    """Return the groups of the inventories that AI_ASSISTANT_INVENTORY names (inventory/example without it).

    Raises:
        InventoryError: See :func:`inventory_paths`, :func:`read_inventory`, :func:`pyinfra_groups` and
            :func:`connecting_user`; or there is no host.
    """
    paths = inventory_paths(os.environ.get(VARIABLE, DEFAULT))
    groups = pyinfra_groups(read_inventory(paths), connecting_user(os.environ.get(FIRST_USER, "")))
    if not groups:
        raise InventoryError(
            f"{', '.join(paths)}: no host in any group; put one below assistant: in hosts.yml"
        )
    return groups
