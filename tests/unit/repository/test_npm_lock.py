from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.repository.project import ROOT, project_files

MANIFESTS = [path for path in project_files(ROOT) if path.name == "package.json"]


def npm_lock_problems(folder: Path) -> list[str]:
    """Return what is wrong with the npm lock in ``folder``: it pins, has hashes, names no registry."""
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    packages = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    problems = [] if packages[""]["dependencies"] == wanted else ["package.json asks for other packages"]
    for name, version in wanted.items():
        if packages.get(f"node_modules/{name}", {}).get("version") != version:
            problems.append(f"{name}: package.json does not pin what is locked")
    for path, package in packages.items():
        if path and not package.get("integrity", "").startswith("sha512-"):
            problems.append(f"{path}: no hash")
        if "resolved" in package:
            problems.append(f"{path}: says where it comes from")
    return problems


def test_there_is_one() -> None:
    assert [path.parent.name for path in MANIFESTS] == ["second_opinion"]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_npm_locks_are_pinned_hashed_and_name_no_registry(manifest: Path) -> None:
    assert npm_lock_problems(manifest.parent) == []
    assert "omit-lockfile-registry-resolved=true" in (manifest.parent / ".npmrc").read_text().splitlines()


@pytest.mark.parametrize(
    ("package", "problem"),
    [
        ({"version": "1.0.1", "integrity": "sha512-x"}, "a: package.json does not pin what is locked"),
        ({"version": "1.0.0"}, "node_modules/a: no hash"),
        ({"version": "1.0.0", "integrity": "sha1-x"}, "node_modules/a: no hash"),
        (
            {"version": "1.0.0", "integrity": "sha512-x", "resolved": "x"},
            "node_modules/a: says where it comes from",
        ),
    ],
)
def test_a_wrong_npm_lock_is_named(tmp_path: Path, package: dict[str, str], problem: str) -> None:
    wanted = {"dependencies": {"a": "1.0.0"}}
    (tmp_path / "package.json").write_text(json.dumps(wanted))
    lock = {"packages": {"": wanted, "node_modules/a": package}}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    assert npm_lock_problems(tmp_path) == [problem]
