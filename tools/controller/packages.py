"""Install what is missing on the controller from the distribution's own archive."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tools.controller.cache import BUILD
from tools.controller.command import as_root, run
from tools.controller.failure import StageFailure

# Installs packages whose programs are wanted and whose services are not: meanwhile nothing may be started
# (/usr/sbin/policy-rc.d, invoke-rc.d(8)), and what the packages enabled for the next boot is disabled again.
_WITHOUT_SERVICES = r"""
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
fi
apt-get install -y --no-install-recommends "$@" || exit
[ ! -x "$(command -v systemctl)" ] || dpkg -L "$@" |
    sed -n 's#^\(/usr\)\{0,1\}/lib/systemd/system/\([^/@]*\.\(service\|timer\)\)$#\2#p' |
    xargs --no-run-if-empty systemctl disable --quiet
"""


def ensure_packages(programs: Mapping[str, str], *, services: bool = True) -> None:
    """Install the packages whose program is not there.

    Args:
        programs: Package name -> a program on PATH, or an absolute path, that shows it is installed.
        services: Let the packages start their services; false leaves them stopped, now and at boot.

    Raises:
        StageFailure: No apt on this host, or apt failed.
    """

    def present(program: str) -> bool:
        return Path(program).exists() if program.startswith("/") else shutil.which(program) is not None

    missing = sorted(package for package, program in programs.items() if not present(program))
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise StageFailure(
            f"missing: {' '.join(missing)}, and there is no apt-get here",
            "use a Debian 12 or Ubuntu host, or install these programs yourself",
        )
    log = BUILD / "logs" / "apt.log"
    remedy = "check this host's /etc/apt sources and its network; then run the same command again"
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    run(as_root([*environment, "apt-get", "update"]), log=log, what="apt-get update", remedy=remedy)
    install = ["apt-get", "install", "-y", "--no-install-recommends"]
    if not services:
        install = ["sh", "-c", _WITHOUT_SERVICES, "install"]
    run(
        as_root([*environment, *install, *missing]),
        log=log,
        what=f"apt-get install {' '.join(missing)}",
        remedy=remedy,
    )
