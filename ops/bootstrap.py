"""Give a bare Debian or Ubuntu host what Ansible needs: ``pyinfra ops/inventory.py ops/bootstrap.py -y``.

That is Python, sudo, and the inventory's ``ansible_user`` with its authorized keys and passwordless sudo.
Where that user is not there yet, ``AI_ASSISTANT_BOOTSTRAP_USER`` says who logs in for it: root, or ubuntu.
Only a shell and apt are used on the host. A second run changes nothing.
"""

from __future__ import annotations

import shlex

from pyinfra import host
from pyinfra.api.exceptions import PyinfraError
from pyinfra.facts.server import Command
from pyinfra.operations import server

from ops.automation_user import UserError, automation_user
from ops.automation_user import make as make_user
from ops.automation_user import probe as probe_user

# python3-apt: without it Ansible's apt module cannot work in check mode.
PACKAGES = ("python3", "python3-apt", "sudo", "ca-certificates")

_MISSING = "dpkg-query -W -f='${db:Status-Status}' %s 2>/dev/null | grep -qx installed || printf '%s '"


def probe() -> str:
    """Return a shell line that prints what is missing, or "no-apt" where this is no Debian or Ubuntu."""
    checks = "; ".join(_MISSING % (name, name) for name in map(shlex.quote, PACKAGES))
    return f"if command -v apt-get >/dev/null 2>&1; then {checks}; else printf no-apt; fi; true"


def install(missing: list[str]) -> list[str]:
    """Return the shell lines that install ``missing``."""
    names = " ".join(map(shlex.quote, missing))
    wait = "-o DPkg::Lock::Timeout=300"  # seconds; a new cloud machine is still updating itself
    return [
        f"apt-get {wait} -q update"
        " || { echo 'apt-get update failed, see above; check the mirror in /etc/apt and DNS' >&2; exit 1; }",
        f"DEBIAN_FRONTEND=noninteractive apt-get {wait} -q -y --no-install-recommends install {names}"
        f" || {{ echo 'apt-get could not install {names}: see the lines above' >&2; exit 1; }}",
    ]


def deploy() -> None:
    """Install what is missing on the current host, and make the user that Ansible logs in as.

    Raises:
        PyinfraError: The host has no apt, or the inventory does not say how the user is to be made.
    """
    data = host.data
    try:
        user = automation_user(
            data.get("ansible_user") or "", data.get("ssh_admin_users"), data.get("ssh_user") or ""
        )
    except UserError as error:
        raise PyinfraError(f"{host.name}: {error}") from None
    answer = (host.get_fact(Command, command=probe()) or "").split()
    if answer == ["no-apt"]:
        raise PyinfraError(f"{host.name} has no apt-get; Ubuntu 22.04 and Debian 12 are supported")
    if answer:
        server.shell(name=f"Install {', '.join(answer)}", commands=install(answer))
    if user is None:
        return
    missing = (host.get_fact(Command, command=probe_user(user)) or "").split()
    if missing:
        server.shell(name=f"Make the user {user.name}: {', '.join(missing)}", commands=make_user(user))


deploy()
