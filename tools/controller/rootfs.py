"""Container images bootstrapped from the distribution's own packages; nothing is pulled from a registry."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tools.controller.cache import BUILD, cache_directory, fingerprint
from tools.controller.command import as_root, capture, make_ours, run
from tools.controller.engine import docker_command
from tools.controller.packages import ensure_packages

_SUPPORTED = "bookworm"  # Debian 12
_UBUNTU = ("jammy", "noble")
_DEBIAN = ("bullseye", "bookworm", "trixie")
BASE_PACKAGES = ("ca-certificates", "libgomp1", "python3", "python3-venv")
_SOURCES = (
    "/etc/apt/sources.list.d/debian.sources",
    "/etc/apt/sources.list.d/ubuntu.sources",
    "/etc/apt/sources.list",
)


def suite() -> str:
    """Return the release that throwaway machines are made of: ``$MACHINE_SUITE``, else Debian 12."""
    return os.environ.get("MACHINE_SUITE") or _SUPPORTED


def _host_release() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return ""


def _archive(release: str) -> tuple[list[str], list[str]]:
    """Return (options, sources) for mmdebstrap.

    The host's own archive lists (a mirror that its administrator chose) serve its own release, and with
    another code name in them another release of its distribution. For another distribution mmdebstrap knows
    the usual mirror, and needs that distribution's keyring.
    """
    ubuntu = release in _UBUNTU
    options = ["--components=main,universe"] if ubuntu else []
    mirror = os.environ.get("MACHINE_MIRROR")
    if mirror:
        return options, [mirror]
    host = _host_release()
    if any({release, host} <= set(names) for names in (_DEBIAN, _UBUNTU)):
        found = [Path(name) for name in _SOURCES if Path(name).exists() and "deb" in Path(name).read_text()]
        return options, [str(path if release == host else _of_release(path, host, release)) for path in found]
    name = "ubuntu" if ubuntu else "debian"
    package = "ubuntu-keyring" if ubuntu else "debian-archive-keyring"
    ensure_packages({package: f"/usr/share/keyrings/{name}-archive-keyring.gpg"})
    return options, []


def _of_release(sources: Path, host: str, release: str) -> Path:
    """Write a copy of an archive list with another release's code name in it and return the copy."""
    copy = BUILD / "sources" / release / sources.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(re.sub(rf"\b{host}\b", release, sources.read_text()))
    return copy


def ensure_rootfs_image(
    name: str, release: str, packages: Sequence[str], hooks: Sequence[str] = (), init: str = ""
) -> str:
    """Make a container image from the distribution's packages and return its reference.

    Args:
        name: Repository name of the image; its tag is the suite and a fingerprint of the recipe.
        release: Code name of the distribution's release.
        packages: What to install beside the essential packages.
        hooks: Shell commands that mmdebstrap runs at the end; ``"$1"`` is the root folder (mmdebstrap(1)).
        init: Program that the container starts with, if any.

    Raises:
        StageFailure: The archive cannot be reached, or Docker refuses the import.
    """
    recipe = fingerprint("2", release, " ".join(packages), "\n".join(hooks), init)
    reference = f"{name}:{release}-{recipe}"
    if capture(docker_command("image", "inspect", reference))[0] == 0:
        return reference
    archive = cache_directory("images") / f"{name}-{release}-{recipe}.tar"
    log = BUILD / "logs" / f"{name}.log"
    if not archive.exists():
        ensure_packages({"mmdebstrap": "mmdebstrap"})
        options, sources = _archive(release)
        partial = archive.with_suffix(".part.tar")
        command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}"]
        command += ['--aptopt=Acquire::Languages "none"', "--dpkgopt=path-exclude=/usr/share/man/*"]
        command += [f"--customize-hook={hook}" for hook in hooks]
        run(
            as_root([*command, *options, release, str(partial), *sources]),
            log=log,
            what=f"making the image {name} from {release}'s packages",
            remedy="check that this host's apt sources carry it, or set MACHINE_SUITE and MACHINE_MIRROR",
        )
        make_ours(partial)
        partial.rename(archive)
    command = ["import", *(["--change", f'CMD ["{init}"]'] if init else []), str(archive), reference]
    run(
        docker_command(*command),
        log=log,
        what=f"importing the image {name}",
        remedy=f"free some disk space; if the archive is damaged, remove {archive} and run again",
    )
    return reference


def ensure_base_image() -> tuple[str, Path]:
    """Return (reference, archive) of the image that the assistant's own image is built on in the demo.

    Always Debian 12: the assistant needs Python 3.11, which Ubuntu 22.04 has not.
    """
    reference = ensure_rootfs_image("ai-assistant-base", _SUPPORTED, BASE_PACKAGES)
    archive = cache_directory("images") / (reference.replace(":", "-") + ".docker.tar")
    if not archive.exists():
        partial = archive.with_suffix(".part")
        run(
            docker_command("save", "-o", str(partial), reference),
            log=BUILD / "logs" / "ai-assistant-base.log",
            what="saving the base image",
            remedy="free some disk space and run again",
        )
        make_ours(partial)
        partial.rename(archive)
    return reference, archive
