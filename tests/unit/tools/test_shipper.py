from __future__ import annotations

from pathlib import Path

import pytest

from tools.controller.failure import StageFailure
from tools.elastic.shipper import cached_filebeat, ensure_filebeat


@pytest.fixture
def nothing_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AI_ASSISTANT_CACHE", str(tmp_path / "cache"))
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    return programs


def test_without_go_it_says_which_is_needed(nothing_cached: Path) -> None:
    with pytest.raises(StageFailure) as failure:
        ensure_filebeat()
    assert "Go 1.22" in failure.value.why and "bookworm-backports" in failure.value.remedy
    assert cached_filebeat() is None


def test_an_older_go_is_refused_and_named(nothing_cached: Path) -> None:
    program = nothing_cached / "go"
    program.write_text("#!/bin/sh\necho go1.19.8\n")
    program.chmod(0o755)
    with pytest.raises(StageFailure, match=r"go1\.19\.8"):
        ensure_filebeat()


def test_a_build_that_fails_leaves_nothing(nothing_cached: Path, tmp_path: Path) -> None:
    program = nothing_cached / "go"
    program.write_text('#!/bin/sh\n[ "$1" = env ] && echo go1.26.8 && exit\necho no proxy\nexit 1\n')
    program.chmod(0o755)
    with pytest.raises(StageFailure, match="no proxy") as failure:
        ensure_filebeat()
    assert "GOPROXY" in failure.value.remedy
    assert list((tmp_path / "cache" / "elastic").iterdir()) == []
