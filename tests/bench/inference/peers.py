"""What the peers need: llama-server, compiled from the source in llama-cpp-python, and llama_cpp.server."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from pathlib import Path

from tools.controller.artifacts import ensure_artifacts
from tools.controller.cache import BUILD, ROOT, cache_directory, fingerprint
from tools.controller.command import run
from tools.controller.packages import ensure_packages
from tools.controller.venv import find_python
from tools.controller.wheels import engine_wheel

_PLOT = Path(__file__).with_name("plot.py")
_LOG = BUILD / "logs" / "bench-peers.log"
_ENGINE_LOCK = ROOT / "app" / "requirements" / "engine.lock"
_BUILD_LOCK = ROOT / "app" / "requirements" / "build.lock"
_PEERS_LOCK = ROOT / "requirements" / "bench.lock"
# Without kernels of its own: it gets the libraries that the assistant runs with. Nothing from the internet.
_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DGGML_NATIVE=OFF",
    "-DGGML_BACKEND_DL=ON",
    "-DGGML_CPU=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
)


def ensure_llama_server() -> Path:
    """Compile llama-server, once, and return the program.

    The source is llama.cpp as llama-cpp-python's source package carries it, and the CPU's code is that of the
    assistant's own wheel: what is compared is how the two serve, not how they were compiled.

    Raises:
        StageFailure: the package index, the compiler or the build failed.
    """
    wheel = engine_wheel(ensure_artifacts().wheelhouse)
    recipe = fingerprint(_ENGINE_LOCK, _BUILD_LOCK, *_OPTIONS, wheel)
    program = cache_directory("bench-peers", f"llama-server-{recipe}") / "bin" / "llama-server"
    if program.exists():
        return program
    ensure_packages({"g++": "g++"})
    with tempfile.TemporaryDirectory() as folder:
        tools, sources = Path(folder) / "venv", Path(folder) / "source"
        _venv(tools, _BUILD_LOCK)
        pip = str(tools / "bin" / "pip")
        path = {"PATH": f"{tools / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        download = [pip, "download", "--no-deps", "--no-binary=:all:", "--no-build-isolation"]
        _run(
            [*download, "--require-hashes", "-d", folder, "-r", str(_ENGINE_LOCK)], "fetching llama.cpp", path
        )
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            archive.extractall(sources, filter="data")
        tree = next(sources.glob("*/vendor/llama.cpp"))
        built = program.parents[1]
        configure = ["cmake", "-G", "Ninja", "-S", str(tree), "-B", str(built), *_OPTIONS]
        _run(configure, "configuring llama-server", path)
        build = ["cmake", "--build", str(built), "--target", "llama-server"]
        _run(build, "compiling llama-server (once; about 6 minutes on 2 cores)", path)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if Path(name).match("libggml-cpu-*.so"):
                (program.parent / Path(name).name).write_bytes(archive.read(name))
    return program


def ensure_llama_cpp_server() -> Path:
    """Make the environment that ``python -m llama_cpp.server`` runs in and return its Python.

    It holds the same compiled wheel as the assistant's image.

    Raises:
        StageFailure: pip failed.
    """
    wheel = engine_wheel(ensure_artifacts().wheelhouse)
    venv = cache_directory("bench-peers", f"llama-cpp-server-{fingerprint(_PEERS_LOCK, wheel)}") / "venv"
    python, complete = venv / "bin" / "python", venv / ".complete"
    if not complete.exists():
        _venv(venv, _PEERS_LOCK)
        _run(
            [str(venv / "bin" / "pip"), "install", "--no-deps", "--no-index", str(wheel)],
            "installing the wheel",
        )
        complete.touch()
    return python


def draw(samples: Path, target: Path, script: Path = _PLOT) -> None:
    """Draw the samples of a run into the picture ``target``.

    Args:
        samples: what the run wrote.
        target: the picture.
        script: which draws: it takes both as arguments, and runs in an environment that has matplotlib.

    Raises:
        StageFailure: it could not be drawn.
    """
    command = [str(ensure_llama_cpp_server()), str(script), str(samples), str(target)]
    _run(command, "drawing the plot")


def _venv(folder: Path, lock: Path) -> None:
    _run([find_python(), "-m", "venv", "--clear", str(folder)], f"making {folder.name}")
    install = [str(folder / "bin" / "pip"), "install", "--disable-pip-version-check", "--require-hashes"]
    _run([*install, "--only-binary=:all:", "-r", str(lock)], f"installing {lock.name}")


def _run(command: list[str], what: str, environment: dict[str, str] | None = None) -> None:
    run(command, log=_LOG, what=what, env=environment, remedy=f"see {_LOG}, and run the same command again")
