"""The models that need no download: the demonstration's, and a tiny one of random weights for tests."""

from __future__ import annotations

from pathlib import Path

from tools.controller.cache import BUILD, ROOT, cache_directory, fingerprint
from tools.controller.command import run
from tools.controller.venv import VENV

SHIPPED = ROOT / "files" / "models"
DEMO_MODEL = SHIPPED / "demo-v2.gguf"
_FOLDER = ROOT / "tools" / "tiny_model"


def ensure_tiny_model() -> Path:
    """Make the tiny GGUF file if it is not cached and return its path.

    Raises:
        StageFailure: The script that makes it failed.
    """
    recipe = fingerprint(*sorted(path for path in _FOLDER.rglob("*") if path.suffix in {".py", ".txt"}))
    model = cache_directory("models", recipe) / "tiny-q4_0.gguf"
    if not model.exists():
        partial = model.with_suffix(".part")
        run(
            [str(VENV / "bin" / "python"), "-m", "tools.tiny_model.make_tiny_model", str(partial)],
            log=BUILD / "logs" / "tiny-model.log",
            what="making the tiny model",
            cwd=ROOT,
            remedy="read the log; the script needs numpy and gguf from requirements/controller.lock",
        )
        partial.rename(model)
    return model
