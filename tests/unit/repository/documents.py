"""The documents: what they link to and name exists, and both languages of the README are in step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.unit.repository.project import load_yaml, project_files, text_of
from tests.unit.repository.roles import role_directories, specification

_FENCE = re.compile(r"^```([\w-]*)\s*$")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_MAKE = re.compile(r"\bmake((?:\s+-s|\s+[A-Z_]+=\S+)*)((?:\s+[a-z][a-z0-9_-]*)+)")
# Folders of the repository, and names for the copy of the inventory that an operator makes.
_FOLDERS = "playbooks|roles|ops|app|files|inventory|tests|docs|tools|molecule|requirements"
_PATH = re.compile(rf"(?<![\w/.-])(?:{_FOLDERS})/[\w./-]+")
_OPERATORS_OWN = ("inventory/production", "inventory/mine")


class Block(NamedTuple):
    """A fenced code block."""

    language: str
    lines: tuple[str, ...]


def documents(root: Path) -> list[Path]:
    """Return the Markdown files of the repository."""
    return [path for path in project_files(root) if path.suffix == ".md"]


def blocks(text: str) -> list[Block]:
    """Return the fenced code blocks of a document."""
    found: list[Block] = []
    lines: list[str] | None = None
    language = ""
    for line in text.splitlines():
        fence = _FENCE.match(line.strip())
        if fence and lines is None:
            lines, language = [], fence[1]
        elif fence and lines is not None:
            found.append(Block(language, tuple(lines)))
            lines = None
        elif lines is not None:
            lines.append(line)
    return found


def prose(text: str) -> str:
    """Return the document without its fenced code blocks."""
    return re.sub(r"^```.*?^```\s*$", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(text: str) -> list[tuple[int, str]]:
    """Return (level, title) of the document's headings."""
    found = re.finditer(r"^(#+)\s+(.*)$", prose(text), re.MULTILINE)
    return [(len(match[1]), match[2].strip()) for match in found]


def _commands(block: Block) -> list[str]:
    """Return the block's lines without comments: what a reader types is the same in every language."""
    stripped = (re.sub(r"(^|\s)#\s.*$", "", line).rstrip() for line in block.lines)
    return [line for line in stripped if line]


def translation_problems(original: Path, translation: Path) -> list[str]:
    """Return where a translated document does not follow its original."""
    one, other = (path.read_text(encoding="utf-8") for path in (original, translation))
    problems = []
    levels = [[level for level, _ in headings(text)] for text in (one, other)]
    if levels[0] != levels[1]:
        problems.append(f"headings: {levels[0]} in {original.name}, {levels[1]} in {translation.name}")
    mine, theirs = blocks(one), blocks(other)
    if len(mine) != len(theirs):
        problems.append(f"code blocks: {len(mine)} in {original.name}, {len(theirs)} in {translation.name}")
    for here, there in zip(mine, theirs, strict=False):
        if here.language != there.language:
            problems.append(f"code block: ```{here.language} became ```{there.language}")
        elif here.language and _commands(here) != _commands(there):
            problems.append(f"code block: {_commands(here)} became {_commands(there)}")
    pages = [
        sorted(target for target in _LINK.findall(text) if target not in {original.name, translation.name})
        for text in (one, other)
    ]
    if pages[0] != pages[1]:
        problems.append(f"links: {pages[0]} in {original.name}, {pages[1]} in {translation.name}")
    return problems


def _anchor(title: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()).replace(" ", "-")


def link_problems(document: Path) -> list[str]:
    """Return the document's relative links that lead nowhere."""
    problems = []
    for target in _LINK.findall(prose(document.read_text(encoding="utf-8"))):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists():
            problems.append(f"{document.name}: {target} does not exist")
        elif anchor and path.suffix == ".md":
            anchors = {_anchor(title) for _, title in headings(path.read_text(encoding="utf-8"))}
            if anchor not in anchors:
                problems.append(f"{document.name}: {target} names no heading")
    return problems


def _code(text: str) -> Iterator[str]:
    """Yield what stands in inline code and in code blocks, one line at a time."""
    for block in blocks(text):
        yield from block.lines
    yield from re.findall(r"`([^`\n]+)`", prose(text))


def make_targets(root: Path) -> set[str]:
    """Return the targets of the Makefile and of the files it includes."""
    found: set[str] = set()
    for path in [root / "Makefile", *(path for path in project_files(root) if path.suffix == ".mk")]:
        text = (text_of(path) or "") if path.is_file() else ""
        for line in re.findall(r"^([A-Za-z][\w .-]*?)\s*:(?!=)", text, re.MULTILINE):
            found.update(line.split())
    return found


def make_problems(root: Path, document: Path) -> list[str]:
    """Return the make targets that a document names and the Makefile lacks."""
    targets = make_targets(root)
    named = {
        target
        for code in _code(document.read_text(encoding="utf-8"))
        for match in _MAKE.finditer(code.split(" # ")[0])
        for target in match[2].split()
    }
    missing = sorted(named - targets)
    return [f"{document.name}: make {target} is not a target of the Makefile" for target in missing]


def path_problems(root: Path, document: Path) -> list[str]:
    """Return the files of the repository that a document names in code and that do not exist."""
    missing = {
        path
        for code in _code(document.read_text(encoding="utf-8"))
        for path in (match.rstrip("./") for match in _PATH.findall(code))
        if not path.startswith(_OPERATORS_OWN)
        if not (root / path).exists() and not (document.parent / path).exists()
    }
    return [f"{document.name}: {path} does not exist" for path in sorted(missing)]


def variable_problems(root: Path, document: Path) -> list[str]:
    """Return the names in a document's code that look like a variable and are none."""
    roles = role_directories(root)
    known = {name for role in roles for name in specification(role)}
    known |= {f"{role.name}_{part}" for role in roles for part in ("install", "configure", "run")}  # tags
    for vault in root.glob("inventory/example/group_vars/*/vault.yml"):
        known |= set(load_yaml(vault))
    for path in (root / "app").rglob("*.py"):
        # Names of metrics.
        known |= set(re.findall(r'"((?:assistant|alert_relay)_[a-z0-9_]+)"', text_of(path) or ""))
    known.add("vault_x")  # the documents' stand-in for any secret
    prefixes = "|".join(sorted(role.name for role in roles))
    pattern = re.compile(rf"(?<![\w/.-])(?:(?:{prefixes}|vault)_[a-z0-9_]+)(?![\w*./(-])")
    named = {name for code in _code(document.read_text(encoding="utf-8")) for name in pattern.findall(code)}
    return [f"{document.name}: {name} is not a variable of any role" for name in sorted(named - known)]
