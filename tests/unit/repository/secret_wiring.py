"""Secrets in the inventories: each refers to a vaulted variable, and the example vault lists every one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.unit.repository.project import load_yaml, text_of

_REFERENCE = re.compile(r"\bvault_[a-z0-9_]*[a-z0-9]\b")
_SECRET_NAME = re.compile(
    r"(secret|token|password|passphrase|encrypt_key|encryption_key|api_key|access_code|private_key)$"
)
_WHOLE_REFERENCE = re.compile(r"^\{\{ vault_[a-z0-9_]+ \}\}$")
_PASSWORD_IN_URL = re.compile(r"://[^/\s:@{]*:[^/\s@{]+@")
_EXAMPLE_VAULTS = "inventory/example/group_vars/*/vault.yml"


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (the key nearest to it, value) of every scalar in a YAML document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


def literal_problems(root: Path) -> list[str]:
    """Return the secrets that stand in an inventory as they are."""
    problems = []
    for path in sorted((root / "inventory").rglob("*.yml")):
        where = path.relative_to(root)
        if (text_of(path) or "").startswith("$ANSIBLE_VAULT"):
            continue
        for name, value in _leaves(load_yaml(path)):
            text = "" if value is None else str(value)
            if "PRIVATE KEY-----" in text:
                problems.append(f"{where}: {name} holds a private key")
            elif _PASSWORD_IN_URL.search(text):
                problems.append(f"{where}: {name} holds a password in a URL")
            elif not _SECRET_NAME.search(name) or not text:
                continue
            elif path.name == "vault.yml":
                problems.append(f'{where}: {name} must be empty (""), the file is public')
            elif not _WHOLE_REFERENCE.match(text):
                problems.append(f'{where}: {name} must be a reference, "{{{{ vault_... }}}}"')
    return problems


def vault_problems(root: Path) -> list[str]:
    """Return the vaulted variables that the example vault lacks, or lists for nothing."""
    listed = {name for path in root.glob(_EXAMPLE_VAULTS) for name in load_yaml(path)}
    wired = _mentions(root, "inventory")
    mentioned = _mentions(root, "roles") | _mentions(root, "playbooks") | wired
    lacking = sorted(mentioned.keys() - listed)
    unused = sorted(listed - wired.keys())
    return [
        *(f"{_EXAMPLE_VAULTS}: lacks {name}, which {mentioned[name]} names" for name in lacking),
        *(f"{_EXAMPLE_VAULTS}: lists {name}, which no inventory uses" for name in unused),
    ]


def _mentions(root: Path, folder: str) -> dict[str, Path]:
    """Return the vaulted variables that the folder's files name, each with one file that does."""
    found: dict[str, Path] = {}
    for path in sorted((root / folder).rglob("*")):
        if path.suffix in {".yml", ".j2"} and path.name != "vault.yml":
            found |= dict.fromkeys(_REFERENCE.findall(text_of(path) or ""), path.relative_to(root))
    return found


def placement_problems(root: Path) -> list[str]:
    """Return the vaulted variables that a role uses: roles get secrets under names of their own."""
    problems = []
    for path in sorted((root / "roles").rglob("*")):
        if path.suffix in {".yml", ".j2"} and "argument_specs" not in path.name:
            for name in sorted(set(re.findall(r"\{\{[^}]*\b(vault_[a-z0-9_]+)", text_of(path) or ""))):
                where = path.relative_to(root)
                problems.append(f"{where}: uses {name}; wire it in group_vars to a variable of the role")
    return problems
