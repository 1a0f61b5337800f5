"""``python -m tools.demo_model train|score|check``: make the models, ask them over HTTP, check the data."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx

from assistant.inference.quantize import QuantizeError, quantize
from assistant.settings import DEFAULT_SYSTEM_PROMPT
from tests.bench.report import Figure, write_report
from tests.integration.app.process import SECRETS, Assistant
from tools.controller.cache import BUILD, ROOT, cache_directory, fingerprint
from tools.controller.command import run
from tools.controller.failure import StageFailure
from tools.demo_model.card import card, read_facts
from tools.demo_model.intents import DataError, Knowledge, load
from tools.demo_model.score import Marked, Served, accuracy, ask_all, questions, speed, table

MODELS = ROOT / "files" / "models"
LOCK = ROOT / "requirements" / "demo_model.lock"
NAMES = ("demo-v1", "demo-v2")
FOUR_BITS = "Q4_0"


def sixteen_bits(name: str) -> Path:
    """Return where the 16-bit form of a model lies."""
    return BUILD / "demo_model" / f"{name}-f16.gguf"


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
    wide, small = sixteen_bits(name), MODELS / f"{name}.gguf"
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
    _write_card(name, load(), {})


def _write_card(name: str, knowledge: Knowledge, scores: dict[str, object]) -> None:
    facts = read_facts(sixteen_bits(name))
    small = MODELS / f"{name}.gguf"
    facts["bytes at 4 bits"] = small.stat().st_size
    path = MODELS / f"{name}.md"
    path.write_text(card(name, knowledge, facts, scores), encoding="utf-8")
    print(path)


def ask(model: Path, use: Callable[[Served], None]) -> None:
    """Start the assistant with ``model``, give ``use`` its API, and stop it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {
            "ASSISTANT_SYSTEM_PROMPT": DEFAULT_SYSTEM_PROMPT,
            "ASSISTANT_CONTEXT_TOKENS": "2048",
            "ASSISTANT_MAX_TOKENS": "256",
            "ASSISTANT_LOG_LEVEL": "info",
        }
        assistant = Assistant(folder, model, f"sqlite:///{folder}/assistant.db", settings)
        assistant.start()
        served = Served(assistant.url, SECRETS["api_token"])
        try:
            use(served)
        finally:
            served.close()
            assistant.stop()


def score() -> None:
    """Score both models, and the better one's 16-bit form, and write ``build/bench/demo_model.json``.

    Raises:
        FileNotFoundError: a model is missing.
    """
    knowledge = load()
    asked, answers = questions(knowledge), knowledge.answers()
    files = {"v1": MODELS / "demo-v1.gguf", "v2": MODELS / "demo-v2.gguf", "v2_f16": sixteen_bits("demo-v2")}
    for path in files.values():
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing; make demo-models makes it")
    figures: dict[str, Figure] = {"questions": len(asked), "intents": len(knowledge.intents) - 1}
    samples: list[object] = []
    for label, path in files.items():
        print(f"asking {path.name}", flush=True)

        def use(served: Served, label: str = label, path: Path = path) -> None:
            marked = ask_all(served, asked, answers)
            pace = speed(served, asked)
            print(table(path.stem, marked), flush=True)
            figures[f"{label}_accuracy"] = accuracy(marked)
            figures[f"{label}_out_of_domain"] = accuracy(marked, outside=True)
            figures[f"{label}_first_token_ms"] = pace.first_token_ms
            figures[f"{label}_tokens_per_second"] = pace.tokens_per_second
            samples.extend(_sample(label, one) for one in marked)

        ask(path, use)
        figures[f"{label}_bytes"] = path.stat().st_size
    figures["size_ratio_q4_f16"] = files["v2"].stat().st_size / files["v2_f16"].stat().st_size
    write_report("demo_model", figures, samples)
    for label, name in (("v1", "demo-v1"), ("v2", "demo-v2")):
        mine = {
            key.removeprefix(f"{label}_"): value
            for key, value in figures.items()
            if key.startswith(f"{label}_") and not key.startswith("v2_f16")
        }
        _write_card(name, knowledge, {k: f"{v:.3f}" if isinstance(v, float) else v for k, v in mine.items()})


def _sample(label: str, one: Marked) -> dict[str, object]:
    return {
        "model": label,
        "intent": one.asked.key[0],
        "language": one.asked.key[1],
        "question": one.asked.messages[-1]["content"],
        "answer": one.answer,
        "taken_for": one.taken_for and " ".join(one.taken_for),
        "right": one.right,
    }


def main() -> int:
    """Run the command line; 1 with the reason where something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("train", "score", "check"))
    parser.add_argument("--minutes", type=float, default=45.0, help="the longest a model may take")
    parser.add_argument("--only", choices=NAMES, help="train one of them")
    options = parser.parse_args()
    try:
        if options.what == "check":
            knowledge = load()
            print(f"{len(knowledge.intents) - 1} intents, {len(questions(knowledge))} held-out questions")
        elif options.what == "score":
            score()
        else:
            for name in [options.only] if options.only else NAMES:
                make(name, options.minutes)
    except StageFailure as failure:
        print(failure, file=sys.stderr)
        return 1
    except (DataError, QuantizeError, OSError, ValueError, httpx.HTTPError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
