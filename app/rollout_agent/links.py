"""The folder of the versions as the agent uses it: its two links, and the note of a promotion."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .versions import CURRENT, NOTE, PREVIOUS, is_file, is_version, point, target

__all__ = ["CURRENT", "PREVIOUS", "Folder", "is_version", "write_whole"]


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
        return is_version(name) and is_file(self.path, name)

    def target(self, link: str) -> str:
        """Return the version that a link leads to; empty where there is none."""
        return target(self.path, link)

    def point(self, link: str, name: str) -> None:
        """Let ``link`` lead to ``name``; with an empty name there is no such link."""
        # A link that is right keeps its time, which `pointed` gives.
        if not name or self.target(link) != name:
            point(self.path, link, name)

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
