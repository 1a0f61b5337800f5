"""The npm packages by others that know the platforms: installed from a lock, their scripts not run."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.controller.cache import BUILD, ROOT, cache_directory, fingerprint, made_whole
from tools.controller.command import run
from tools.controller.packages import ensure_packages

PROGRAMS = {"nodejs": "node", "npm": "npm"}
FOLDER = ROOT / "tests" / "second_opinion"
_FILES = ("package.json", "package-lock.json", ".npmrc")


def ensure_second_opinion() -> Path:
    """Install what tests/second_opinion/package-lock.json names, unless it is cached.

    Which registry the packages come from is npm's own configuration; their hashes are the lock's.

    Returns:
        the folder ``node_modules``.

    Raises:
        StageFailure: No Node.js, or npm could not install exactly what the lock names.
    """
    ensure_packages(PROGRAMS)
    sources = [FOLDER / name for name in _FILES]
    place = cache_directory("second_opinion") / fingerprint(*sources)
    modules = place / "node_modules"
    if modules.exists():
        return modules
    with made_whole(place, modules) as partial:
        for source in sources:
            shutil.copy(source, partial)
        log = BUILD / "logs" / "second-opinion.log"
        run(
            ["npm", "ci", "--ignore-scripts"],
            log=log,
            what="npm ci in tests/second_opinion",
            cwd=partial,
            remedy=f"see {log}; npm must reach a registry (`npm ping`), or have these packages in its cache",
        )
    return modules
