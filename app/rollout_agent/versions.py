"""The folder of a model's versions and its two links, ``current.gguf`` and ``previous.gguf``.

The links are relative. The role ``model`` runs this file on its hosts too (roles/model/module_utils): hence
the standard library, Python 3.9 and no import of a neighbour.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

CURRENT, PREVIOUS = "current.gguf", "previous.gguf"
# What took the place of what in a rollout, until somebody says which version is current.
NOTE = ".promoted.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.gguf", re.ASCII)


def is_version(name: str) -> bool:
    """Tell whether ``name`` can be a version's: a plain file name, and not that of a link."""
    return bool(_NAME.fullmatch(name)) and name not in (CURRENT, PREVIOUS)


def is_file(folder: Path, name: str) -> bool:
    """Tell whether ``name`` is a file in ``folder``, and no link."""
    path = folder / name
    return os.path.isfile(path) and not os.path.islink(path)


def target(folder: Path, link: str) -> str:
    """Return the name that a link leads to; empty where there is no link or no such file."""
    try:
        name = os.path.basename(os.readlink(folder / link))
    except OSError:
        return ""
    return name if os.path.isfile(folder / name) else ""


def point(folder: Path, link: str, name: str) -> None:
    """Let ``link`` lead to ``name``; with an empty name there is no such link.

    It is made under another name and renamed: a reader finds the old version or the new one, never none.
    """
    path = folder / link
    if not name:
        path.unlink(missing_ok=True)
        return
    fresh = folder / f".{link}.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(name)
    os.rename(fresh, path)
