"""Install what is missing on the controller from the distribution's own archive."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tools.controller.cache import BUILD
from tools.controller.command import as_root, run
from tools.controller.failure import StageFailure


def ensure_packages(programs: Mapping[str, str]) -> None:
    """Install the packages whose program is not there.

    Args:
        programs: Package name -> a program on PATH, or an absolute path, that shows it is installed.

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
    run(
        as_root([*environment, "apt-get", "install", "-y", "--no-install-recommends", *missing]),
        log=log,
        what=f"apt-get install {' '.join(missing)}",
        remedy=remedy,
    )
