"""The wheelhouse: every wheel of the assistant's image, llama-cpp-python compiled once and kept."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tools.controller.cache import BUILD, ROOT, cache_directory, extra_ca_certificates, fingerprint
from tools.controller.command import capture, run
from tools.controller.engine import build_environment, docker, docker_command

_REQUIREMENTS = ROOT / "app" / "requirements"
_LOG = BUILD / "logs" / "wheelhouse.log"
_TRUST_STORE = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP_SETTINGS = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)


def build_context(target: Path, wheelhouse: Path | None = None) -> Path:
    """Copy ``app/`` to ``target`` with this host's extra CA certificates, and wheels if there are any."""
    shutil.copytree(ROOT / "app", target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for certificate in extra_ca_certificates():
        shutil.copy2(certificate, target / "certificates" / certificate.name)
    if wheelhouse is not None:
        for wheel in wheelhouse.glob("*.whl"):
            shutil.copy2(wheel, target / "wheelhouse" / wheel.name)
    return target


def _compile_engine(base_image: str, target: Path) -> None:
    """Compile llama-cpp-python in the Dockerfile's own ``wheels`` stage and keep what it made."""
    image = f"ai-assistant-wheels:{fingerprint(base_image)}"
    with tempfile.TemporaryDirectory() as folder:
        context = build_context(Path(folder) / "app")
        arguments = [
            "build",
            "--target",
            "wheels",
            "--network",
            "host",
            "--build-arg",
            f"BASE_IMAGE={base_image}",
        ]
        index = os.environ.get("PIP_INDEX_URL")
        if index:
            arguments += ["--build-arg", f"PACKAGE_INDEX={index}"]
        run(
            docker_command(*arguments, "--tag", image, str(context)),
            log=_LOG,
            env=build_environment(),
            what="compiling llama-cpp-python (once; about 7 minutes on 2 cores)",
            remedy="it needs the package index and the distribution's archive; see the log, then run again",
        )
    container = docker("create", image, "true")
    try:
        docker("cp", f"{container}:/wheels/.", str(target))
    finally:
        docker("rm", container)
        capture(docker_command("rmi", image))


def _download_runtime(base_image: str, target: Path) -> None:
    """Download the locked runtime wheels with the base image's own Python, so that they fit it."""
    command = ["run", "--rm", "--network", "host", "--volume", f"{_REQUIREMENTS}:/requirements:ro"]
    command += ["--volume", f"{target}:/wheels"]
    if _TRUST_STORE.exists():
        command += ["--volume", f"{_TRUST_STORE}:{_TRUST_STORE}:ro", "--env", f"PIP_CERT={_TRUST_STORE}"]
    if Path("/etc/pip.conf").exists():
        command += ["--volume", "/etc/pip.conf:/etc/pip.conf:ro"]
    command += [flag for name in _PIP_SETTINGS if name in os.environ for flag in ("--env", name)]
    script = (
        "python3 -m venv /tmp/venv && /tmp/venv/bin/pip download --disable-pip-version-check --no-cache-dir"
        " --only-binary=:all: --require-hashes --dest /wheels --requirement /requirements/runtime.lock"
    )
    run(
        docker_command(*command, base_image, "sh", "-c", script),
        log=_LOG,
        what="downloading the app's wheels",
        remedy="check that the package index can be reached (pip's own settings apply); see the log",
    )


def ensure_wheelhouse(base_image: str) -> Path:
    """Fill the wheelhouse for the base image and return its folder.

    Args:
        base_image: Reference of the image whose Python and C library the wheels must fit.

    Raises:
        StageFailure: The compiler, the package index or the archive failed.
    """
    engine = cache_directory("wheels", "engine-" + fingerprint(base_image, *_engine_inputs()))
    if not any(engine.glob("llama_cpp_python-*.whl")):
        with tempfile.TemporaryDirectory() as folder:
            _compile_engine(base_image, Path(folder))
            _take(Path(folder), engine, "llama_cpp_python-*.whl")
    house = cache_directory(
        "wheels", "house-" + fingerprint(base_image, *_engine_inputs(), _REQUIREMENTS / "runtime.lock")
    )
    complete = house / ".complete"
    if not complete.exists():
        with tempfile.TemporaryDirectory() as folder:
            _download_runtime(base_image, Path(folder))
            _take(Path(folder), house, "*.whl")
        _take(engine, house, "*.whl")
        complete.touch()
    return house


def engine_wheel(wheelhouse: Path) -> Path:
    """Return the compiled llama-cpp-python wheel of a wheelhouse."""
    return next(wheelhouse.glob("llama_cpp_python-*.whl"))


def _engine_inputs() -> tuple[str | Path, ...]:
    """Return what decides how the engine is compiled: its locks and its own stage of the Dockerfile."""
    stages = (ROOT / "app" / "Dockerfile").read_text().split("\nFROM ")
    stage = next(text for text in stages if text.partition("\n")[0].endswith(" AS wheels"))
    return (_REQUIREMENTS / "engine.lock", _REQUIREMENTS / "build.lock", stage)


def _take(source: Path, target: Path, pattern: str) -> None:
    for wheel in source.glob(pattern):
        partial = target / (wheel.name + ".part")
        shutil.copy2(wheel, partial)
        partial.rename(target / wheel.name)
