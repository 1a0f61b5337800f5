"""The folder of the versions: its two links, and the note of a promotion.

The same layout and the same renames as the module ``model_version`` of the role ``model`` makes.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

CURRENT, PREVIOUS = "current.gguf", "previous.gguf"
NOTE = ".promoted.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.gguf", re.ASCII)


def is_version(name: str) -> bool:
    """Tell whether ``name`` can be a version's: a plain file name, and not that of a link."""
    return bool(_NAME.fullmatch(name)) and name not in (CURRENT, PREVIOUS)


def write_whole(path: Path, values: dict[str, Any], mode: int = 0o644) -> None:
    """Write a JSON object so that a reader, also after a power cut, finds the old one or the new one."""
    fresh = path.with_name(f"{path.name}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(values, stream)
        stream.write("\n")
        stream.flush()
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    os.rename(fresh, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Folder:
    """The versions, side by side."""

    def __init__(self, path: Path) -> None:
        """Remember where they are."""
        self.path = path

    def has(self, name: str) -> bool:
        """Tell whether ``name`` is a version that is there."""
        path = self.path / name
        return is_version(name) and path.is_file() and not path.is_symlink()

    def target(self, link: str) -> str:
        """Return the version that a link leads to; empty where there is none."""
        try:
            name = os.path.basename(os.readlink(self.path / link))
        except OSError:
            return ""
        return name if (self.path / name).is_file() else ""

    def point(self, link: str, name: str) -> None:
        """Let ``link`` lead to ``name``; with an empty name there is no such link."""
        path = self.path / link
        if name and self.target(link) == name:
            return
        if not name:
            path.unlink(missing_ok=True)
            return
        fresh = self.path / f".{link}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(name)
        os.rename(fresh, path)

    def pointed(self) -> float:
        """Return since when the link to the current version leads where it does, seconds since 1970."""
        return os.lstat(self.path / CURRENT).st_ctime

    def note_promotion(self, current: str, over: str, at: float) -> None:
        """Note that ``current`` took the place of ``over``; the inventory still names that."""
        before = self._noted()
        if before.get("current") == current:
            return
        # The inventory may lag behind by more than one.
        earlier = [*before.get("earlier", []), before["over"]] if before.get("current") == over else []
        values = {"current": current, "over": over, "earlier": earlier, "at": int(at)}
        write_whole(self.path / NOTE, values)

    def _noted(self) -> dict[str, Any]:
        try:
            noted = json.loads((self.path / NOTE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) and "over" in noted else {}
