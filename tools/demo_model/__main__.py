"""``python -m tools.demo_model train|check|questions``: models, data, and the question set made of it.

``tests/bench/demo_model`` asks the models.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from assistant.inference.quantize import QuantizeError, quantize
from tools.controller.cache import BUILD, ROOT, cache_directory, fingerprint
from tools.controller.command import run
from tools.controller.failure import StageFailure
from tools.demo_model.intents import LANGUAGES, DataError, load
from tools.demo_model.question_set import write_question_set
from tools.demo_model.shipped import NAMES, shipped, sixteen_bits, write_card
from tools.demo_model.unseen import load_unseen

LOCK = ROOT / "requirements" / "demo_model.lock"
FOUR_BITS = "Q4_0"


def environment() -> Path:
    """Make the training environment from its lock, once, and return its Python.

    Raises:
        StageFailure: pip could not install what the lock names.
    """
    folder = cache_directory("demo-model", fingerprint(LOCK, sys.version)) / "venv"
    python, complete = folder / "bin" / "python", folder / ".complete"
    if not complete.exists():
        log = BUILD / "logs" / "demo-model-venv.log"
        remedy = f"see {log}; remove {folder} and run the same command again"
        run([sys.executable, "-m", "venv", "--clear", str(folder)], log=log, what="making it", remedy=remedy)
        install = [str(python), "-m", "pip", "install", "--require-hashes", "--disable-pip-version-check"]
        run([*install, "-r", str(LOCK)], log=log, what=f"installing {LOCK.name}", remedy=remedy)
        complete.touch()
    return python


def make(name: str, minutes: float) -> None:
    """Train the model ``name``, and write it with 16 and with 4 bits and with its card.

    Raises:
        StageFailure: training failed, or the environment for it.
        QuantizeError: llama.cpp could not make 4 bits of it.
        OSError: a file cannot be written.
    """
    wide, small = sixteen_bits(name), shipped(name)
    command = [
        str(environment()),
        "-m",
        "tools.demo_model.make",
        name,
        str(wide),
        "--minutes",
        f"{minutes:g}",
    ]
    done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603 - our own module
    if done.returncode:
        raise StageFailure(f"training {name} ended with status {done.returncode}", "see its last lines above")
    # All matrices alike: by itself llama.cpp keeps 6 bits for the output, here a large part of the file.
    quantize(wide, small, FOUR_BITS, pure=True)
    print(f"{small}: {small.stat().st_size} bytes, {small.stat().st_size / wide.stat().st_size:.1%} of f16")
    write_card(name, load(), {})


def main() -> int:
    """Run the command line; 1 with the reason where something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("train", "check", "questions"))
    parser.add_argument("--minutes", type=float, default=45.0, help="the longest a model may take")
    parser.add_argument("--only", choices=NAMES, help="train one of them")
    options = parser.parse_args()
    try:
        if options.what == "check":
            knowledge = load()
            held_out = sum(len(i.held_out[lang]) for i in knowledge.intents.values() for lang in LANGUAGES)
            unseen = sum(map(len, load_unseen(knowledge).values()))
            print(f"{len(knowledge.intents) - 1} intents, {held_out} held-out templates, {unseen} unseen")
        elif options.what == "questions":
            write_question_set(load())
        else:
            for name in [options.only] if options.only else NAMES:
                make(name, options.minutes)
    except StageFailure as failure:
        print(failure, file=sys.stderr)
        return 1
    except (DataError, QuantizeError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
