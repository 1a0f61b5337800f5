"""The virtual environment in .venv, made from a hashed lock."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tools.controller.cache import BUILD, ROOT, cache_directory, fingerprint
from tools.controller.command import capture, run
from tools.controller.failure import StageFailure
from tools.controller.packages import ensure_packages

VENV = ROOT / ".venv"
LOCK = ROOT / "requirements" / "controller.lock"
_NEWEST_FIRST = ("python3.13", "python3.12", "python3.11")


def _usable(python: str) -> bool:
    check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
    return capture([python, "-c", check])[0] == 0


def find_python() -> str:
    """Return a Python of at least 3.11 that can make virtual environments, installing one where apt has it.

    Raises:
        StageFailure: There is none, and none could be installed.
    """
    wanted = os.environ.get("CONTROLLER_PYTHON")
    candidates = [wanted] if wanted else [sys.executable, *_NEWEST_FIRST]
    for candidate in candidates:
        if _usable(candidate):
            return candidate
    if sys.version_info >= (3, 11) and not wanted:
        ensure_packages({"python3-venv": "/nonexistent"})
        candidate = sys.executable
    else:
        ensure_packages({"python3.11": "python3.11", "python3.11-venv": "/nonexistent"})
        candidate = "python3.11"
    if not _usable(candidate):
        raise StageFailure(
            f"no Python >= 3.11 with the venv module ({candidate} will not do)",
            "install python3.11 and python3.11-venv, or set CONTROLLER_PYTHON=/path/to/python3.11",
        )
    return candidate


def ensure_venv() -> Path:
    """Make ``.venv`` what the lock says and return its folder of programs.

    Raises:
        StageFailure: No usable Python, or pip could not install exactly what the lock names.
    """
    stamp = VENV / f".complete-{fingerprint(LOCK)}"
    if stamp.exists():
        return VENV / "bin"
    log = BUILD / "logs" / "venv.log"
    if VENV.exists():
        shutil.rmtree(VENV)
    remedy = f"see {log}; remove .venv and run the same command again"
    run([find_python(), "-m", "venv", str(VENV)], log=log, what="making .venv", remedy=remedy)
    run(
        [
            str(VENV / "bin" / "pip"),
            "install",
            "--require-hashes",
            "--disable-pip-version-check",
            "--cache-dir",
            str(cache_directory("pip")),
            "-r",
            str(LOCK),
        ],
        log=log,
        what="installing requirements/controller.lock",
        remedy=remedy,
    )
    stamp.touch()
    return VENV / "bin"


def ensure_engine_in_venv(wheel: Path) -> None:
    """Install the compiled llama-cpp-python wheel into ``.venv``; its dependencies are in the lock already.

    Raises:
        StageFailure: pip refused the wheel.
    """
    stamp = VENV / f".engine-{fingerprint(wheel)}"
    if stamp.exists():
        return
    run(
        [str(VENV / "bin" / "pip"), "install", "--no-deps", "--no-index", "--force-reinstall", str(wheel)],
        log=BUILD / "logs" / "venv.log",
        what=f"installing {wheel.name} into .venv",
        remedy=f"remove {wheel} to have it compiled again",
    )
    stamp.touch()
