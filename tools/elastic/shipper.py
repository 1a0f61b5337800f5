"""Filebeat for tests: built from its Go module, and wrapped as a package with the paths of Elastic's own.

Elastic's package comes from Elastic's repository alone. The module is the source of the same program; the Go
module proxy has it at some commits only, and go.mod names the one that is taken.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.controller.cache import BUILD, ROOT, cache_directory, fingerprint, made_whole
from tools.controller.command import capture, run
from tools.controller.failure import StageFailure

FOLDER = ROOT / "tools" / "elastic" / "filebeat"
_SOURCES = [FOLDER / name for name in ("go.mod", "go.sum", "main.go", "filebeat.service", "control")]
_OLDEST_GO = (1, 22)
_LOG = BUILD / "logs" / "filebeat.log"


@dataclass(frozen=True)
class Filebeat:
    """Where both forms are."""

    program: Path
    package: Path
    """A .deb of a few files: program, unit, an empty configuration."""


def _place() -> Path:
    return cache_directory("elastic") / f"filebeat-{fingerprint(*_SOURCES, _packing())}"


def _packing() -> str:
    return f"{_build_command('')} {_PACKAGE_PATHS}"


_PACKAGE_PATHS = {
    "filebeat": ("usr/share/filebeat/bin/filebeat", 0o755),
    "filebeat.service": ("lib/systemd/system/filebeat.service", 0o644),
    "control": ("DEBIAN/control", 0o644),
}


def cached_filebeat() -> Filebeat | None:
    """Return what was built earlier, or None; makes nothing."""
    place = _place()
    found = Filebeat(place / "filebeat", place / "filebeat.deb")
    return found if found.package.exists() else None


def _build_command(target: str) -> list[str]:
    """Two packages at a time, without debugging tables, exactly the versions that go.mod and go.sum name."""
    return ["go", "build", "-p=2", "-mod=readonly", "-buildvcs=false", "-ldflags=-s -w", f"-o={target}", "."]


def _require_go() -> None:
    """Raise StageFailure without a Go that is new enough."""
    status, said = capture(["go", "env", "GOVERSION"])
    found = re.match(r"go(\d+)\.(\d+)", said)
    if status != 0 or found is None or (int(found[1]), int(found[2])) < _OLDEST_GO:
        oldest = ".".join(str(part) for part in _OLDEST_GO)
        raise StageFailure(
            f"Filebeat is built with Go {oldest} or newer, and here is: {said.strip()}",
            f"install Go {oldest} (Debian 12: golang-{oldest} from bookworm-backports) and have `go` in PATH",
        )


def _wrap(folder: Path) -> None:
    """Write ``folder/filebeat.deb``."""
    root = folder / "root"
    architecture = capture(["dpkg", "--print-architecture"])[1].strip()
    for name, (inside, mode) in _PACKAGE_PATHS.items():
        source = folder / name if name == "filebeat" else FOLDER / name
        target = root / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        if name == "filebeat":
            os.link(source, target)
        else:
            target.write_text(source.read_text().replace("ARCHITECTURE", architecture))
        target.chmod(mode)
    (root / "etc" / "filebeat").mkdir(parents=True)
    run(
        [
            "dpkg-deb",
            "--root-owner-group",
            "-Zgzip",
            "-z3",
            "--build",
            str(root),
            str(folder / "filebeat.deb"),
        ],
        log=_LOG,
        what="dpkg-deb of filebeat",
        remedy=f"see {_LOG}",
    )
    shutil.rmtree(root)


def ensure_filebeat() -> Filebeat:
    """Build Filebeat unless it is cached (5 minutes on two cores, 2 GB of Go's caches).

    Where modules come from is Go's own configuration (GOPROXY); their hashes are in go.sum.

    Raises:
        StageFailure: No suitable Go, or the build failed.
    """
    if (found := cached_filebeat()) is not None:
        return found
    _require_go()
    place = _place()
    with made_whole(place) as partial:
        run(
            _build_command(str(partial / "filebeat")),
            log=_LOG,
            what="go build in tools/elastic/filebeat",
            remedy=f"see {_LOG}; go must reach a module proxy (go env GOPROXY)",
            cwd=FOLDER,
        )
        _wrap(partial)
    return Filebeat(place / "filebeat", place / "filebeat.deb")
