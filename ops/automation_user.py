"""The user that Ansible logs in as: its account, its right to become root, its authorized keys.

Only a shell is used on the host, so that it works where there is no Python yet. Files and programs:
useradd(8), sudoers(5), sshd(8) section AUTHORIZED_KEYS FILE FORMAT.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAIN_FILE = "inventory/<yours>/group_vars/assistant/main.yml"
_EXAMPLE = '[{name: %s, authorized_keys: ["ssh-rsa AAAAB3Nza... operator@example.org"]}]'
# The role ssh writes the same file, for all the users of ssh_admin_users.
SUDOERS = "/etc/sudoers.d/ai-assistant"
# The role ssh admits the members of this group alone; before its first run there is none.
ADMITTED_GROUP = "ssh-users"


class UserError(Exception):
    """The inventory does not say how the user is to be made; the text says which variable and what to do."""


@dataclass(frozen=True)
class AutomationUser:
    """A user and the public keys that open its account."""

    name: str
    keys: tuple[str, ...]


def automation_user(name: str, admin_users: object, connected_as: str) -> AutomationUser | None:
    """Return the user to make, or None where the inventory leaves the user that logs in as it is.

    Args:
        name: ``ansible_user`` of the host.
        admin_users: ``ssh_admin_users`` of the host, as the inventory says it.
        connected_as: Who is logged in now.

    Raises:
        UserError: The name is none, or there is no key for a user who is not there yet.
    """
    if name in ("", "root"):
        return None
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name):
        raise UserError(f"ansible_user is {name!r}, which is no user name; example: ansible_user: operator")
    keys = _keys(name, admin_users)
    if keys:
        return AutomationUser(name, keys)
    if connected_as == name:
        return None
    raise UserError(
        f"ssh_admin_users has no authorized_keys for {name} (ansible_user), "
        f"so nobody could log in as that user; put its public key in {MAIN_FILE}, "
        f"example: ssh_admin_users: {_EXAMPLE % name}"
    )


def _keys(name: str, admin_users: object) -> tuple[str, ...]:
    entries = admin_users if isinstance(admin_users, list) else []
    own = [entry for entry in entries if isinstance(entry, Mapping) and entry.get("name") == name]
    lines = [str(key).strip() for entry in own for key in _listed(entry.get("authorized_keys"))]
    lines += [_public_half(str(entry["key_file"])) for entry in own if entry.get("key_file")]
    for text in [*lines, *([admin_users] if isinstance(admin_users, str) else [])]:
        if "{{" in text:
            raise UserError(
                f"ssh_admin_users has {text!r}, a template that only Ansible can work out; "
                f"write the public key itself in {MAIN_FILE}, example: ssh_admin_users: {_EXAMPLE % name}"
            )
    return tuple(dict.fromkeys(line for line in lines if line))


def _public_half(key_file: str) -> str:
    path = Path(f"{key_file}.pub").expanduser()
    if not path.is_file():
        raise UserError(
            f"ssh_admin_users names the key_file {key_file}, and there is no {path} yet; "
            f"make it first, example: ssh-keygen -t rsa -b 4096 -f {key_file}"
        )
    return path.read_text().strip()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


_MAY_SUDO = "sudo -n -l -U %s 2>/dev/null | grep -q 'NOPASSWD: ALL'"
_HOME = "home=$(getent passwd %s | cut -d: -f6)"


def probe(user: AutomationUser) -> str:
    """Return a shell line, for root, that prints which of "account", "sudo" and "keys" are missing."""
    name = shlex.quote(user.name)
    keys = " && ".join(f"grep -qxF -- {shlex.quote(key)} {_KEY_FILE} 2>/dev/null" for key in user.keys)
    return (
        f'{_HOME % name}; [ -n "$home" ] || printf "account "; '
        f'{_MAY_SUDO % name} || printf "sudo "; {{ {keys}; }} || printf "keys "; true'
    )


_KEY_FILE = '"$home/.ssh/authorized_keys"'


def make(user: AutomationUser) -> list[str]:
    """Return the shell lines, for root, that make the user or bring it up to date; the keys come last.

    A group of the user's name may be there (Debian has a group operator): it becomes the user's own.
    """
    name = shlex.quote(user.name)
    add = "useradd --create-home --shell /bin/bash -K HOME_MODE=0750"
    failed = f"{{ echo 'cannot make the user {user.name}, see above' >&2; exit 1; }}"
    account = (
        f"getent passwd {name} >/dev/null"
        f" || {{ if getent group {name} >/dev/null; then {add} --gid {name} {name}; else {add} {name}; fi; }}"
        f" || {failed}"
    )
    admitted = f"! getent group {ADMITTED_GROUP} >/dev/null || usermod -a -G {ADMITTED_GROUP} {name}"
    rule = f"{user.name} ALL=(ALL:ALL) NOPASSWD: ALL"
    # sudo reads no file with a dot in its name.
    sudo = (
        f"{_MAY_SUDO % name} || {{ new=$(mktemp /etc/sudoers.d/.ai-assistant.XXXXXX)"
        f' && {{ cat {SUDOERS} 2>/dev/null; echo {shlex.quote(rule)}; }} > "$new" && chmod 0440 "$new"'
        f' && visudo -c -q -f "$new" && mv "$new" {SUDOERS} && {_MAY_SUDO % name}; }}'
        f" || {{ echo '{user.name} has no passwordless sudo: look at /etc/sudoers.d' >&2; exit 1; }}"
    )
    keys = " ".join(map(shlex.quote, user.keys))
    admit = (
        f'{_HOME % name}; group=$(id -gn {name}) && install -d -m 700 -o {name} -g "$group" "$home/.ssh"'
        f' && touch {_KEY_FILE} && {{ [ -z "$(tail -c 1 {_KEY_FILE})" ] || echo >> {_KEY_FILE}; }}'
        f" && for key in {keys}; do"
        f' grep -qxF -- "$key" {_KEY_FILE} || printf "%s\\n" "$key" >> {_KEY_FILE} || exit 1; done'
        f' && chmod 600 {_KEY_FILE} && chown {name}:"$group" {_KEY_FILE}'
        f" || {{ echo 'cannot write the authorized keys of {user.name}, see above' >&2; exit 1; }}"
    )
    return [account, admitted, sudo, admit]
