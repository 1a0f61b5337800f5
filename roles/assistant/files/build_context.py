"""Pack what the assistant's image is made of, and name it by its content.

Runs on the controller and prints one JSON object: ``tag`` (content hash, the image's tag), ``archive``
(path of the tar.gz for the target), ``engine`` (hash of what the compiled engine depends on) and
``has_engine`` (a wheel of llama-cpp-python is already among the wheels). The same tree gives the same tag
and the same archive.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

SKIPPED_FOLDERS = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv", "build", "dist"}
SKIPPED_SUFFIXES = {".pyc", ".pyo"}
ENGINE_WHEEL = "llama_cpp_python-"
ENGINE_INPUTS = ("Dockerfile", "requirements/engine.lock", "requirements/build.lock")
KEPT_ARCHIVES = 5
YEAR_2000 = 946684800


def source_files(source: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name in the archive, file) for everything in the app's folder that may matter to the build."""
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        skipped = any(part in SKIPPED_FOLDERS or part.endswith(".egg-info") for part in relative.parts)
        if path.is_file() and not skipped and path.suffix not in SKIPPED_SUFFIXES:
            yield str(relative), path


def collect(source: Path, wheelhouse: Path | None, certificates: list[Path]) -> dict[str, Path]:
    """Return archive name -> file; wheels go to ``wheelhouse/``, certificates to ``certificates/``."""
    files = dict(source_files(source))
    for number, certificate in enumerate(certificates):
        # The suffix is what update-ca-certificates looks for; the number keeps two files of one name apart.
        files[f"certificates/{number:02d}-{certificate.stem}.crt"] = certificate
    if wheelhouse:
        files.update({f"wheelhouse/{wheel.name}": wheel for wheel in sorted(wheelhouse.glob("*.whl"))})
    return files


def digest(entries: list[tuple[str, bytes]]) -> str:
    """Return the first 16 hexadecimal digits of a SHA-256 over named contents."""
    total = hashlib.sha256()
    for name, content in sorted(entries):
        total.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return total.hexdigest()[:16]


def write_archive(archive: Path, files: dict[str, Path]) -> None:
    """Write a tar.gz under another name first, so that it is whole or absent.

    Owners are left out. A file's time comes from its content: the same for the same content, so that the
    archive is too, and another for other content, because web servers and caches compare times.
    """
    partial = archive.with_suffix(f".{os.getpid()}.partial")
    with (
        partial.open("wb") as raw,
        # Level 1: wheels are compressed already, and the rest is small.
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0, compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for folder in ("certificates", "wheelhouse"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, path in sorted(files.items()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            entry.mtime = YEAR_2000 + zlib.crc32(content) % (1 << 28)
            tar.addfile(entry, io.BytesIO(content))
    partial.replace(archive)


def drop_old(folder: Path) -> None:
    """Keep the newest few archives; they hold all wheels and are large."""
    archives = sorted(folder.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for archive in archives[KEPT_ARCHIVES:]:
        archive.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    """Pack and print; see the module's text."""
    parser = argparse.ArgumentParser(description="Pack the build context of the assistant's image.")
    parser.add_argument("--source", type=Path, required=True, help="folder of the app, with its Dockerfile")
    parser.add_argument("--wheelhouse", default="", help="folder of wheels, or empty")
    parser.add_argument("--certificates", default="", help="PEM files, separated by colons")
    parser.add_argument("--arguments", default="{}", help="build arguments, JSON")
    parser.add_argument("--output", type=Path, default=Path("~/.cache/ai-assistant/contexts").expanduser())
    options = parser.parse_args(arguments)

    wheelhouse = Path(options.wheelhouse) if options.wheelhouse else None
    certificates = [Path(name) for name in options.certificates.split(":") if name]
    files = collect(options.source, wheelhouse, certificates)
    settings = json.dumps(json.loads(options.arguments), sort_keys=True).encode()
    contents = [(name, path.read_bytes()) for name, path in files.items()]
    tag = digest([*contents, ("build arguments", settings)])
    engine = digest([(n, c) for n, c in contents if n in ENGINE_INPUTS] + [("build arguments", settings)])

    options.output.mkdir(parents=True, exist_ok=True)
    archive = options.output / f"{tag}.tar.gz"
    if archive.exists():
        archive.touch()
    else:
        write_archive(archive, files)
        drop_old(options.output)
    has_engine = any(Path(name).name.startswith(ENGINE_WHEEL) for name in files if name.endswith(".whl"))
    print(json.dumps({"tag": tag, "archive": str(archive), "engine": engine, "has_engine": has_engine}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
