"""Where things that are slow to make are kept between runs. Nothing but speed depends on them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


def cache_directory(*parts: str) -> Path:
    """Return a folder below ``~/.cache/ai-assistant`` (or ``$AI_ASSISTANT_CACHE``), made if absent."""
    base = os.environ.get("AI_ASSISTANT_CACHE")
    path = Path(base) if base else Path.home() / ".cache" / "ai-assistant"
    path = path.joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def made_whole(place: Path, sign: Path | None = None) -> Iterator[Path]:
    """Give an empty folder beside ``place``, which becomes ``place`` when the block has ended well.

    Two runs at once each make their own, and the first puts it in place; a cut-off one leaves nothing there.

    Raises:
        OSError: it cannot be put there, and ``sign`` (``place`` itself if not given) is not there either.
    """
    partial = Path(tempfile.mkdtemp(prefix="part-", dir=place.parent))
    try:
        yield partial
        # mkdtemp's folder is for its owner alone.
        partial.chmod(0o755)
        try:
            partial.rename(place)
        except OSError:
            if not (sign or place).exists():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def fingerprint(*parts: str | bytes | Path) -> str:
    """Return 16 hexadecimal digits that change whenever one of the parts (texts or files) changes."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            data = part.read_bytes()
        else:
            data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:16]


def extra_ca_certificates() -> list[Path]:
    """Return the CA certificates that this host's administrator added to the distribution's own.

    A controller behind a TLS-inspecting proxy has them in Debian's documented folder
    (update-ca-certificates(8)); machines and images made here need them as well.
    """
    return sorted(Path("/usr/local/share/ca-certificates").rglob("*.crt"))
