"""``make score-demo-model``: ask both demonstration models over HTTP.

``SCORE_DEMO_MODEL="--info build/machines/assistant-demo/info.json"`` asks a deployed one by its front door.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from assistant.settings import DEFAULT_SYSTEM_PROMPT
from tests.bench.demo_model.score import (
    Asked,
    Key,
    Marked,
    Served,
    accuracy,
    ask_all,
    questions,
    speed,
    table,
)
from tests.bench.report import Figure, write_report
from tests.integration.app.process import SECRETS, Assistant
from tools.demo_model.intents import DataError, load
from tools.demo_model.shipped import shipped, sixteen_bits, write_card
from tools.demo_model.unseen import load_unseen

# By whom a set of questions was written; see tools/demo_model/unseen.py.
SETS = ("held-out", "unseen")


@contextmanager
def served(model: Path) -> Iterator[Served]:
    """Start the assistant with ``model``, give its API, and stop it."""
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
        api = Served(assistant.url, SECRETS["api_token"])
        try:
            yield api
        finally:
            api.close()
            assistant.stop()


def measure(
    label: str,
    model: Path,
    sets: Mapping[str, Sequence[Asked]],
    answers: Mapping[Key, str],
    samples: list[object],
) -> dict[str, Figure]:
    """Ask ``model`` everything, print tables, add to ``samples``; the figures are named ``LABEL_...``."""
    print(f"asking {model.name}", flush=True)
    figures: dict[str, Figure] = {}
    with served(model) as api:
        for title, asked in sets.items():
            marked = ask_all(api, asked, answers)
            print(table(f"{model.stem}, {title}", marked), flush=True)
            prefix = label if title == SETS[0] else f"{label}_{title}"
            figures[f"{prefix}_accuracy"] = accuracy(marked)
            figures[f"{prefix}_out_of_domain"] = accuracy(marked, outside=True)
            samples.extend(_sample(label, title, one) for one in marked)
        pace = speed(api, sets[SETS[0]])
    figures[f"{label}_first_token_ms"] = pace.first_token_ms
    figures[f"{label}_tokens_per_second"] = pace.tokens_per_second
    figures[f"{label}_bytes"] = model.stat().st_size
    return figures


def _sample(label: str, title: str, one: Marked) -> dict[str, object]:
    return {
        "model": label,
        "set": title,
        "intent": one.asked.key[0],
        "language": one.asked.key[1],
        "question": one.asked.messages[-1]["content"],
        "answer": one.answer,
        "taken_for": one.taken_for and " ".join(one.taken_for),
        "right": one.right,
    }


def score_deployed(path: Path) -> None:
    """Ask the machine that ``path`` (what ``make demo-info`` prints) describes the held-out questions.

    Raises:
        OSError: the file cannot be read.
        httpx.HTTPError: the assistant cannot be reached, or refuses.
    """
    info = json.loads(path.read_text(encoding="utf-8"))
    knowledge = load()
    api = Served(info["https_url"], info["api"]["token"], Path(info["ca_file"]))
    try:
        marked = ask_all(api, questions(knowledge), knowledge.answers())
    finally:
        api.close()
    print(table(f"deployed, {SETS[0]}", marked), flush=True)
    figures = {"accuracy": accuracy(marked), "out_of_domain": accuracy(marked, outside=True)}
    write_report("demo_model_deployed", figures, [_sample("deployed", SETS[0], one) for one in marked])


def main() -> int:
    """Run the command line; 1 with the reason where scoring fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.demo_model", description=__doc__)
    parser.add_argument("--info", type=Path, help="ask the deployed assistant that this file describes")
    options = parser.parse_args()
    try:
        if options.info:
            score_deployed(options.info)
        else:
            score_files()
    except (DataError, OSError, ValueError, httpx.HTTPError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def score_files() -> None:
    """Score both models and the better one's 16-bit form, and bring their cards up to date.

    Raises:
        FileNotFoundError: a model is missing.
    """
    files = {"v1": shipped("demo-v1"), "v2": shipped("demo-v2"), "v2_f16": sixteen_bits("demo-v2")}
    for path in files.values():
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing; make demo-models makes it")
    knowledge = load()
    answers = knowledge.answers()
    unseen = questions(knowledge, load_unseen(knowledge))
    sets = dict(zip(SETS, (questions(knowledge), unseen), strict=True))
    figures: dict[str, Figure] = {"intents": len(knowledge.intents) - 1}
    figures |= {f"{title}_questions": len(asked) for title, asked in sets.items()}
    samples: list[object] = []
    for label, path in files.items():
        figures |= measure(label, path, sets, answers, samples)
    figures["size_ratio_q4_f16"] = files["v2"].stat().st_size / files["v2_f16"].stat().st_size
    write_report("demo_model", figures, samples)
    for label in ("v1", "v2"):
        mine = {k.removeprefix(f"{label}_"): v for k, v in figures.items() if k.startswith(f"{label}_")}
        chosen = {k: v for k, v in mine.items() if "accuracy" in k or "out_of_domain" in k}
        rounded = {k.replace("_", " "): f"{v:.1%}" for k, v in chosen.items() if not k.startswith("f16")}
        write_card(f"demo-{label}", knowledge, rounded)


if __name__ == "__main__":
    sys.exit(main())
