"""Lock files and collections: pinned, hashed, in agreement, and silent about where packages come from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.unit.repository.project import load_yaml, project_files, text_of


class Pin(NamedTuple):
    """One package of a lock file."""

    version: str
    hashes: int


def pins(lock: Path) -> dict[str, set[Pin]]:
    """Return what a lock file pins: normalised name -> versions (several where markers tell them apart)."""
    found: dict[str, set[Pin]] = {}
    for entry in lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", entry)
        if match:
            pin = Pin(match[2], entry.count("--hash=sha256:"))
            found.setdefault(canonicalize_name(match[1]), set()).add(pin)
    return found


def lock_problems(lock: Path) -> list[str]:
    """Return the entries that are not pinned and hashed, or that say where to download from."""
    text = lock.read_text(encoding="utf-8")
    problems = [] if pins(lock) else [f"{lock.name}: pins nothing"]
    for entry in text.replace("\\\n", " ").splitlines():
        name = entry.split(" ")[0]
        if not entry.strip() or entry.lstrip().startswith("#"):
            continue
        if not re.match(r"[A-Za-z0-9._-]+(\[[^]]*\])?==", entry):
            problems.append(f"{lock.name}: '{name}' is not pinned with ==")
        elif "--hash=sha256:" not in entry:
            problems.append(f"{lock.name}: {name} has no hash")
    if "://" in text:
        problems.append(f"{lock.name}: holds a URL")
    if re.search(r"#\s+(via|from)\b.*(?<![.\w])/", text):
        problems.append(f"{lock.name}: holds an absolute path")
    return problems


def input_problems(source: Path, lock: Path) -> list[str]:
    """Return the requirements of a .in file that its lock does not meet."""
    locked = pins(lock)
    problems = []
    for line in source.read_text(encoding="utf-8").splitlines():
        text = line.split("#", 1)[0].strip()
        if text.startswith("-r "):
            problems += input_problems(source.parent / text[3:].strip(), lock)
        elif text and not text.startswith("-"):
            wanted = Requirement(text)
            found = {pin.version for pin in locked.get(canonicalize_name(wanted.name), set())}
            if not found or not all(wanted.specifier.contains(each, prereleases=True) for each in found):
                versions = sorted(found) or "nothing"
                problems.append(f"{lock.name}: '{text}' of {source.name} is locked as {versions}")
    return problems


def disagreement_problems(one: Path, other: Path) -> list[str]:
    """Return the packages of ``one`` that ``other`` lacks or has in another version."""
    theirs = pins(other)
    problems = []
    for name, mine in sorted(pins(one).items()):
        versions = {pin.version for pin in mine}
        if versions != {pin.version for pin in theirs.get(name, set())}:
            there = sorted(pin.version for pin in theirs.get(name, set()))
            problems.append(f"{name}: {sorted(versions)} in {one.name}, {there or 'absent'} in {other.name}")
    return problems


def collection_problems(requirements: Path, collections: Path) -> list[str]:
    """Return the collections of requirements.yml that the installed ``ansible`` package does not bundle.

    Args:
        requirements: requirements.yml, with a version range for each collection.
        collections: The folder ``ansible_collections`` of the installed package.
    """
    problems = []
    for entry in load_yaml(requirements).get("collections", []):
        name = entry["name"]
        if not entry.get("version"):
            problems.append(f"{name}: requirements.yml gives no version")
            continue
        manifest = collections.joinpath(*name.split("."), "MANIFEST.json")
        if not manifest.is_file():
            problems.append(f"{name}: the installed ansible package does not bundle it")
            continue
        version = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
        if not SpecifierSet(entry["version"]).contains(version):
            problems.append(f"{name}: requirements.yml wants {entry['version']}, ansible bundles {version}")
    return problems


# Hosts that RFC 2606 keeps for examples may stand in the documents.
_EXAMPLE_HOST = re.compile(r"https?://([\w-]+\.)*(example(\.(com|net|org))?|test|invalid|localhost)[:/]")
_DOWNLOAD_SOURCE = re.compile(
    r"(?:index[-_]url|find[-_]links|trusted[-_]host|registry[-_]mirrors?)\W{0,4}(?P<set>(https?:)?//[\w.-]+\S*)"
    r"|(?P<simple>https?://[\w.-]+(?::\d+)?/(?:\S*/)?simple\b\S*)",
    re.IGNORECASE,
)
# Spelt in two parts, so that this file does not name them itself.
_MACHINE_PATH = re.compile(r"(?<![\w.-])/wo" + r"rk/(main|shared|\.library)\b|/root/\.py" + "env")


def source_problems(root: Path) -> list[str]:
    """Return the files that name a place to download packages from, or a path of a developer's machine."""
    problems = []
    for path in project_files(root):
        for number, line in enumerate((text_of(path) or "").splitlines(), 1):
            where = f"{path.relative_to(root)}:{number}"
            for match in _DOWNLOAD_SOURCE.finditer(line):
                if not _EXAMPLE_HOST.match((match["set"] or match["simple"]) + "/"):
                    problems.append(f"{where}: names a package index; use the variable for it")
            if _MACHINE_PATH.search(line):
                problems.append(f"{where}: names a path of one developer's machine")
    return problems
