from __future__ import annotations

from pathlib import Path

import pytest

from tools.controller import second_opinion
from tools.controller.failure import StageFailure
from tools.controller.second_opinion import ensure_second_opinion


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AI_ASSISTANT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(second_opinion, "BUILD", tmp_path / "build")
    return tmp_path / "cache" / "second_opinion"


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, npm: str) -> None:
    folder.mkdir()
    for name, text in {"node": "", "npm": npm}.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_without_npm_it_says_what_is_missing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(StageFailure, match="missing: nodejs npm"):
        ensure_second_opinion()
    assert not cache.exists()


def test_what_npm_cannot_install_leaves_nothing_behind(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path / "bin", monkeypatch, "mkdir node_modules; echo no route to the registry >&2; exit 3")
    with pytest.raises(StageFailure, match="no route to the registry") as failure:
        ensure_second_opinion()
    assert "second-opinion.log" in failure.value.remedy
    assert list(cache.iterdir()) == []


def test_it_installs_once_from_the_lock_and_runs_no_scripts(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    npm = f'echo "$@" >> {calls}; ls -A >> {calls}; mkdir node_modules'
    programs(tmp_path / "bin", monkeypatch, npm)
    made = ensure_second_opinion()
    assert ensure_second_opinion() == made
    assert made.is_dir() and made.parent.parent == cache
    listed = calls.read_text().split()
    assert listed[:2] == ["ci", "--ignore-scripts"]
    assert sorted(listed[2:]) == [".npmrc", "package-lock.json", "package.json"]
    assert [path.name for path in cache.iterdir()] == [made.parent.name]
