"""``make bench-beside``: how long people wait while the model is evaluated, and while it is not.

Blocks with and without an evaluation take turns, so that what else this machine does meets both alike. Every
question is one that the model answers itself: no cache.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from assistant.evaluation.questions import read_questions
from assistant.evaluation.statistics import quantile
from tests.bench.lifecycle.evaluation import QUESTIONS
from tests.bench.report import Figure, write_report
from tests.integration.app.process import SECRETS, Assistant, until
from tools.demo_model.shipped import shipped

# As role evaluation has it (evaluation_share).
SHARE = 0.25
# BESIDE_BLOCKS=1 for a machine that has other things to do.
BLOCKS = int(os.environ.get("BESIDE_BLOCKS", "4"))
QUESTIONS_IN_A_BLOCK = 40
# A person reads and writes; the model is not kept busy by the live questions alone.
PAUSE_SECONDS = 0.2


def _ask(client: httpx.Client, words: str) -> float:
    begun = time.monotonic()
    body = {"model": "m", "messages": [{"role": "user", "content": words}], "temperature": 0}
    client.post("/v1/chat/completions", json=body).raise_for_status()
    return time.monotonic() - begun


def _block(client: httpx.Client, words: list[str]) -> list[float]:
    found = []
    for one in words:
        found.append(_ask(client, one))
        time.sleep(PAUSE_SECONDS)
    return found


def _evaluation(assistant: Assistant, folder: Path, number: int) -> subprocess.Popen[bytes]:
    results = folder / f"results-{number}.jsonl"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "assistant", "evaluate", "run", "--questions", str(QUESTIONS)),
            *("--results", str(results), "--url", f"{assistant.url}/v1", "--share", str(SHARE)),
            *("--token-file", str(assistant.directory / "secrets" / "api_token")),
        ],
        env={**assistant.environment, "NO_PROXY": "*"},
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until("the evaluation asks", lambda: results.exists() and results.stat().st_size > 1000)
    return process


def measure(folder: Path) -> dict[str, Figure]:
    """Return the waits of live questions, in seconds, with and without an evaluation beside them."""
    words = [q.messages[-1].content for q in read_questions(QUESTIONS).questions]
    assistant = Assistant(folder, shipped("demo-v2"), f"sqlite:///{folder}/assistant.db", {
        "ASSISTANT_CONTEXT_TOKENS": "2048", "ASSISTANT_MAX_TOKENS": "256", "ASSISTANT_LOG_LEVEL": "info",
    })  # fmt: skip
    assistant.start()
    waits: dict[str, list[float]] = {"without": [], "with": []}
    headers = {"Authorization": f"Bearer {SECRETS['api_token']}", "Cache-Control": "no-store"}
    asked = 0
    try:
        with httpx.Client(base_url=assistant.url, headers=headers, trust_env=False, timeout=60) as client:
            _block(client, words[:5])
            for number in range(BLOCKS):
                for name in ("without", "with"):
                    chosen = [words[(asked + n) % len(words)] for n in range(QUESTIONS_IN_A_BLOCK)]
                    process = _evaluation(assistant, folder, number) if name == "with" else None
                    try:
                        waits[name] += _block(client, chosen)
                    finally:
                        if process is not None:
                            process.send_signal(signal.SIGINT)
                            process.wait(60)
                asked += QUESTIONS_IN_A_BLOCK
    finally:
        assistant.stop()
    figures: dict[str, Figure] = {"questions_each": BLOCKS * QUESTIONS_IN_A_BLOCK, "share": SHARE}
    for name, found in waits.items():
        figures |= {
            f"p{share * 100:g}_s_{name}": quantile(found, share) or 0.0 for share in (0.5, 0.95, 0.99)
        }
    return figures


def main() -> int:
    """Measure and write the figures."""
    os.environ["NO_PROXY"] = "*"
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder))
    write_report("evaluation_beside", figures, [])
    return 0


if __name__ == "__main__":
    sys.exit(main())
