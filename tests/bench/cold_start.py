"""How long a model takes from a cold page cache to the first token: ours beside the library's own default.

Both run in a fresh process each, in turns, after the file's pages were dropped from the page cache. The clock
runs from before the process is started to the first text. The default is ``llama_cpp.Llama(model_path=...)``
with all of its own defaults: it maps the file, reads all of it and repacks the weights.

``python -m tests.bench.cold_start FILE.gguf [--pairs N] [--repack auto|on|off]`` prints the figures.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Short, as the peer has no system prompt that it would have read before: what is measured is loading.
QUESTION = "Hello"
STEP = 16 << 20


@dataclass(frozen=True)
class Start:
    """One start: seconds to the first token, then the process's resident and proportional memory in bytes."""

    seconds: float
    rss: int
    pss: int
    # Memory that is not the file's: it cannot be dropped and read again.
    anonymous: int


@dataclass(frozen=True)
class ColdStarts:
    """The samples of both, in the order in which they were taken."""

    ours: list[Start]
    default: list[Start]

    def seconds(self, who: str) -> float:
        """Return the median of ``ours`` or ``default``."""
        return statistics.median(start.seconds for start in self.of(who))

    def of(self, who: str) -> list[Start]:
        """Return the samples of ``ours`` or ``default``."""
        return self.ours if who == "ours" else self.default

    @property
    def ratio(self) -> float:
        """How many times faster ours is: the median over the pairs."""
        pairs = zip(self.ours, self.default, strict=True)
        return statistics.median(default.seconds / ours.seconds for ours, default in pairs)


def measure(model: Path, pairs: int, repack: str = "off", *, warm: bool = False) -> ColdStarts:
    """Start both ``pairs`` times, alternating.

    Args:
        model: a GGUF file.
        pairs: how many starts of each.
        repack: our ``ASSISTANT_REPACK``. ``off`` is what ``auto`` takes where memory is short.
        warm: with the file in the page cache instead.

    Raises:
        RuntimeError: the page cache kept the file (another process has it mapped), or a start failed.
    """
    found = ColdStarts([], [])
    for _ in range(pairs):
        found.ours.append(_start(model, "ours", repack, warm))
        found.default.append(_start(model, "default", repack, warm))
    return found


def drop_from_page_cache(path: Path) -> None:
    """Drop a file's pages from the page cache.

    Raises:
        RuntimeError: more than 1 percent of it stayed.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Only clean pages can be dropped (posix_fadvise(2)).
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    if (share := cached_share(path)) > 0.01:
        raise RuntimeError(f"{share:.0%} of {path} stayed in the page cache: a process has it mapped")


def cached_share(path: Path) -> float:
    """Return which part of a file is in the page cache (mincore(2), which reads nothing)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    size = path.stat().st_size
    pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
    with path.open("rb") as file:
        address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
    if libc.mincore(address, size, pages):
        raise OSError(ctypes.get_errno(), "mincore failed", str(path))
    libc.munmap(address, size)
    # The lowest bit is the answer, the others are reserved.
    return sum(page & 1 for page in pages.raw) / len(pages)


def _start(model: Path, who: str, repack: str, warm: bool) -> Start:
    if warm:
        with model.open("rb") as file:
            while file.read(STEP):
                pass
    else:
        drop_from_page_cache(model)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, str(model), "--only", who, "--repack", repack],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'app'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{who} ended with status {done.returncode}: {done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return Start(said["at"] - began, said["rss"], said["pss"], said["anonymous"])


def _ours(model: Path, repack: str) -> Callable[[], object]:
    """Answer as the assistant does: the thread loads and warms up, and only then serves."""
    from assistant.inference.backend import Options
    from assistant.inference.embedded import EmbeddedBackend
    from assistant.inference.model import Model
    from assistant.messages import Turn

    def failed(error: Exception) -> None:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)

    backend = EmbeddedBackend(
        lambda: Model(model, context_tokens=512, threads=0, parallel=1, system=[], repack=repack), [], failed
    )
    backend.start()
    completion = backend.generate([Turn("user", QUESTION)], Options(1, 0.0, 600.0))
    assert completion.completion_tokens == 1
    return backend.stop


def _default(model: Path) -> Callable[[], object]:
    import llama_cpp
    from llama_cpp import Llama

    from assistant.inference.native import load_cpu_backends

    # The wheel chooses its CPU code when it is started; that is no part of loading a model.
    load_cpu_backends(Path(llama_cpp.__file__).parent / "lib")
    llama = Llama(model_path=str(model), verbose=False)
    llama.create_chat_completion(
        messages=[{"role": "user", "content": QUESTION}], max_tokens=1, temperature=0.0
    )
    close: Callable[[], object] = llama.close
    return close


def _only(who: str, model: Path, repack: str) -> None:
    """Run one start in this process and print what it took as JSON."""
    close = _ours(model, repack) if who == "ours" else _default(model)
    at = time.monotonic()
    print(json.dumps({"at": at, **memory()}), flush=True)
    close()


def memory(process: str = "self") -> dict[str, int]:
    """Return ``rss``, ``pss`` and ``anonymous`` of a process in bytes (/proc/<pid>/smaps_rollup)."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    return {"rss": sizes["Rss"], "pss": sizes["Pss"], "anonymous": sizes["Anonymous"]}


def figures(found: ColdStarts) -> dict[str, float]:
    """Return the figures by name, for a report."""
    result = {"ratio": found.ratio}
    for who in ("ours", "default"):
        starts = found.of(who)
        result[f"{who}_seconds"] = found.seconds(who)
        result[f"{who}_seconds_min"] = min(start.seconds for start in starts)
        result[f"{who}_seconds_max"] = max(start.seconds for start in starts)
        for name in ("rss", "pss", "anonymous"):
            result[f"{who}_{name}_mb"] = statistics.median(getattr(start, name) for start in starts) / 1e6
    return result


def main() -> int:
    """Measure and print; with ``--only`` one start in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--repack", choices=["auto", "on", "off"], default="off")
    parser.add_argument("--warm", action="store_true", help="with the file in the page cache")
    parser.add_argument("--only", choices=["ours", "default"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        _only(arguments.only, arguments.model, arguments.repack)
        return 0
    found = measure(arguments.model, arguments.pairs, arguments.repack, warm=arguments.warm)
    for name, figure in figures(found).items():
        print(f"{name:<24} {figure:10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
