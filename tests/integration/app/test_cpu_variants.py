"""One wheel for all CPUs: it starts without AVX-512 and without AVX, and uses what the CPU has.

The older CPUs are emulated by Debian's qemu-user (https://www.qemu.org/docs/master/system/i386/cpu.html lists
what each has): an instruction that such a CPU lacks would end the process with SIGILL.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
_ANSWER = """
import os, re, sys
from pathlib import Path
from assistant.inference.backend import Options
from assistant.inference.embedded import EmbeddedBackend
from assistant.inference.model import Model
from assistant.messages import Turn
system = [Turn("system", "s")]
load = lambda: Model(Path(sys.argv[1]), context_tokens=512, threads=1, parallel=1, system=system)
backend = EmbeddedBackend(load, system, lambda error: os._exit(9))
backend.start()
answer = backend.generate([*system, Turn("user", "hello")], Options(4, 0.0, 600.0))
libraries = set(re.findall(r"libggml-cpu-(\\w+)[.]so", Path("/proc/self/maps").read_text()))
print("ANSWER", answer.completion_tokens, *libraries)
backend.stop()
"""


def _answer(model: Path, *emulator: str) -> tuple[str, int]:
    """Return the CPU library that was loaded, and how many tokens were generated with it."""
    done = subprocess.run(
        [*emulator, sys.executable, "-c", _ANSWER, str(model)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={"PYTHONPATH": str(ROOT / "app"), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, (
        f"status {done.returncode} (-4 is an illegal instruction): {done.stderr[-2000:]}"
    )
    tokens, *libraries = done.stdout.rpartition("ANSWER ")[2].split()
    assert len(libraries) == 1, f"exactly one CPU library must stay loaded: {done.stdout}{done.stderr}"
    return libraries[0], int(tokens)


@pytest.mark.parametrize(("cpu", "library"), [("Nehalem", "sse42"), ("Haswell", "haswell")])
def test_an_older_cpu_gets_the_code_that_it_can_run(model_path: Path, cpu: str, library: str) -> None:
    emulator = shutil.which("qemu-x86_64")
    assert emulator, "qemu-x86_64 is not installed: apt-get install qemu-user (make checkers does it)"
    assert _answer(model_path, emulator, "-cpu", cpu) == (library, 4)


def test_this_cpu_gets_avx512_code_where_it_has_it(model_path: Path) -> None:
    flags = set(Path("/proc/cpuinfo").read_text().split())
    library, tokens = _answer(model_path)
    assert tokens == 4
    expected = {"skylakex", "cascadelake", "icelake", "cooperlake", "cannonlake", "zen4", "sapphirerapids"}
    assert (library in expected) == ("avx512f" in flags and "avx512vl" in flags)
