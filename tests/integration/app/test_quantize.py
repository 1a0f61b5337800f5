"""A 16-bit file becomes a 4-bit one that answers, or nothing at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.inference import trial
from assistant.inference.gguf import read_header
from tests.integration.app.process import until
from tests.sixteen_bits import write_f16
from tools.tiny_model.weights import Shape

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def sixteen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of 256 and 512 numbers, the block size of the K types."""
    path = tmp_path_factory.mktemp("f16") / "sixteen.gguf"
    write_f16(path, Shape(width=256, feed_forward=512))
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "assistant.inference.quantize", *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "app")}
    return subprocess.run(
        command(*arguments), env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_sixteen_bits_become_four_and_answer(sixteen: Path, tmp_path: Path) -> None:
    result = tmp_path / "new" / "four.gguf"
    done = run(sixteen, result, "Q4_K_M")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "sixteen.gguf: " in line and "four.gguf (Q4_K_M): " in line and "MiB" in line and "%" in line
    header = read_header(result)
    assert header.quantization == "Q4_K_M"
    assert {tensor.type for tensor in header.tensors} == {"Q4_K", "Q6_K", "F32"}
    assert result.stat().st_size < 0.4 * sixteen.stat().st_size
    assert not result.stat().st_mode & 0o222, "a version never changes"
    trial.attempt(result)
    assert [path.name for path in result.parent.iterdir()] == ["four.gguf"]


def test_a_file_of_four_bits_is_refused(model_path: Path, tmp_path: Path) -> None:
    done = run(model_path, tmp_path / "again.gguf", "Q4_K_M")
    assert done.returncode == 1
    assert "has the type Q4_0; a 16-bit file is needed" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "word"), [("Q4_K_X", "no type Q4_K_X"), ("F16", "no type F16")])
def test_a_type_that_makes_nothing_smaller_is_refused(
    sixteen: Path, tmp_path: Path, kind: str, word: str
) -> None:
    done = run(sixteen, tmp_path / "x.gguf", kind)
    assert done.returncode == 1
    assert word in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(sixteen: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    done = run(sixteen, tmp_path / "file" / "x.gguf", "Q4_K_M")
    assert done.returncode == 1
    assert "file" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if os.geteuid():
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full(sixteen: Path, small_disk: Path) -> None:
    done = run(sixteen, small_disk / "four.gguf", "Q4_K_M")
    assert done.returncode == 1, done.stderr
    assert "MiB" in done.stderr and "free" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(small_disk.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_that_looks_whole(tmp_path: Path, number: signal.Signals) -> None:
    source, folder = tmp_path / "big.gguf", tmp_path / "made"
    write_f16(source, Shape(width=512, feed_forward=2048, layers=12))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "app")}
    running = subprocess.Popen(
        command(source, folder / "four.gguf", "Q4_K_M"),
        env=environment,
        stderr=subprocess.DEVNULL,
        # A shell without a terminal has its background jobs ignore it, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until("it writes", lambda: folder.exists() and list(folder.iterdir()))
    running.send_signal(number)
    assert running.wait(60) != 0
    assert not (folder / "four.gguf").exists()
    if number != signal.SIGKILL:
        assert not list(folder.iterdir())
    again = run(source, folder / "four.gguf", "Q4_K_M")
    assert again.returncode == 0, again.stderr
    assert [path.name for path in folder.iterdir()] == ["four.gguf"], "what a killed run left is removed"
