"""Loading the real library with a real file: what is chosen, said, refused and calculated."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.inference.model import Model

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("repack", "line"),
    [("auto", "weights are repacked"), ("on", "weights are repacked"), ("off", "weights are not repacked")],
)
def test_the_log_says_whether_weights_are_repacked_and_why(
    model_path: Path, caplog: pytest.LogCaptureFixture, repack: str, line: str
) -> None:
    caplog.set_level(logging.INFO)
    Model(model_path, context_tokens=256, threads=1, parallel=1, system=[], repack=repack).close()
    found = [record for record in caplog.records if record.getMessage() == line]
    assert len(found) == 1
    reason = "MiB" if repack == "auto" else f"ASSISTANT_REPACK is {repack}"
    assert reason in str(vars(found[0]))


def test_capacity_calculates_without_loading_anything(model_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "assistant",
            "capacity",
            "--model",
            str(model_path),
            "--seconds",
            "0",
            "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(ROOT / "app"), "PATH": os.environ["PATH"], "ASSISTANT_PARALLEL": "2"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["fits"] is True
    assert 0 < found["bytes_a_token"] <= model_path.stat().st_size
    assert found["alone"] is None
    assert found["cells"] >= 2048


def test_capacity_names_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF\x03\x00\x00\x00")
    done = subprocess.run(
        [sys.executable, "-m", "assistant", "capacity", "--model", str(broken)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(ROOT / "app"), "PATH": os.environ["PATH"]},
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{broken}: ")
    assert len(done.stderr.splitlines()) == 1
