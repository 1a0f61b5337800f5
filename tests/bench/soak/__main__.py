"""``make soak-inference``: 2 CPUs and 4 GB serve the 3B shape to 8 conversations at once, and are not killed.

Then the 7B shape: refused in 4 GB, with the numbers, and answering with 8 GB.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import asdict
from pathlib import Path

from tests.bench.cold_start import drop_from_page_cache
from tests.bench.models import SHAPES, ensure_model
from tests.bench.report import Figure, write_report
from tests.bench.soak.container import Container, Memory, ensure_image, started
from tests.bench.soak.people import Talk, talk
from tests.integration.app.process import SECRETS
from tools.controller.failure import StageFailure

PEOPLE = 8
LARGE_SECONDS = 60.0
SETTINGS = {"ASSISTANT_PARALLEL": str(PEOPLE), "ASSISTANT_REQUEST_DEADLINE_SECONDS": "600"}
REFUSAL = "does not fit into the container's memory limit of 4096 MiB"


def serve(image: str, model: Path, memory: str, seconds: float) -> tuple[dict[str, Figure], list[object]]:
    """Serve ``model`` in ``memory`` to 8 people for ``seconds``.

    Raises:
        StageFailure: it did not become ready, was killed or restarted, or an answer failed.
        RuntimeError: another process has the model mapped.
    """
    seen: list[Memory] = []
    # Pages that another process has read are not counted to the container, and cost it nothing.
    drop_from_page_cache(model)
    with started(image, model, memory, SETTINGS) as container:
        ready = container.await_ready()
        found = talk(
            container.url, SECRETS["api_token"], PEOPLE, seconds, lambda: seen.append(_look(container))
        )
        seen.append(_look(container))
        state, log = container.state(), container.logs()
    reason = next((line for line in log.splitlines() if "repacked" in line), "")
    result = _figures(found, seen)
    result |= {"memory_limit": memory, "ready_seconds": ready, "repacked": "weights are repacked" in reason}
    result |= {"killed_for_memory": bool(state["OOMKilled"]), "restarts": int(str(state["RestartCount"]))}
    print(f"{model.name} in {memory}: {reason}", flush=True)
    if found.errors or not state["Running"] or state["OOMKilled"] or seen[-1].killed or state["RestartCount"]:
        errors = "\n".join(found.errors[:5])
        raise StageFailure(
            f"{model.name} in {memory}: {len(found.errors)} errors, state {state}\n{errors}\n{log[-3000:]}",
            "see the container's last lines",
        )
    if not found.answers:
        raise StageFailure(f"{model.name} in {memory}: no answer in {seconds:.0f} s", "take a longer time")
    return result, [{**asdict(answer), "model": model.name} for answer in found.answers]


def refuse(image: str, model: Path, memory: str) -> dict[str, Figure]:
    """Start ``model`` in too little ``memory``; say the reason and return the exit status.

    Raises:
        StageFailure: it is served, was killed, or the log does not say the numbers.
    """
    with started(image, model, memory, SETTINGS) as container:
        status, log, state = container.await_end(), container.logs(), container.state()
    reason = next((line for line in log.splitlines() if REFUSAL in line), "")
    if status == 0 or not reason or state["OOMKilled"]:
        raise StageFailure(f"status {status}, state {state}:\n{log[-3000:]}", f"expected: {REFUSAL}")
    print(f"{model.name} in {memory}: {reason}", flush=True)
    return {"refused": True, "exit_status": status}


def _look(container: Container) -> Memory:
    try:
        return container.memory()
    except StageFailure as failure:
        raise StageFailure(f"{failure.why}\n{container.logs()[-3000:]}", failure.remedy) from failure


def _figures(found: Talk, seen: list[Memory]) -> dict[str, Figure]:
    result: dict[str, Figure] = {
        "conversations_at_once": PEOPLE,
        "seconds": found.seconds,
        "answers": len(found.answers),
        "errors": len(found.errors),
        "tokens_per_second": sum(answer.tokens for answer in found.answers) / found.seconds,
        "answers_per_second": len(found.answers) / found.seconds,
        "memory_peak_mib": max(look.peak for look in seen) / 2**20,
        "memory_anonymous_mib": max(look.anonymous for look in seen) / 2**20,
        "resident_mib": max(look.rss for look in seen) / 2**20,
    }
    for name, key in (("first_token", "first"), ("answer", "last")):
        times = sorted(getattr(answer, key) for answer in found.answers)
        for percent in (50, 99) if times else ():
            result[f"{name}_p{percent}_seconds"] = times[-(-len(times) * percent // 100) - 1]
    later = [a.first for a in found.answers if a.turn]
    if later:
        result["first_token_later_turns_p50_seconds"] = statistics.median(later)
    return result


def main() -> int:
    """Run all and write build/bench/soak.json; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of the 3B shape (default: %(default)s)")
    parser.add_argument("--size", choices=sorted(SHAPES), default="3b", metavar="SIZE")
    parser.add_argument("--skip-large", action="store_true", help="without the 7B shape")
    arguments = parser.parse_args()
    size = arguments.size.replace(".", "_")
    try:
        image = ensure_image()
        found, samples = serve(image, ensure_model(arguments.size), "4g", arguments.minutes * 60)
        result = {f"{key}_{size}": figure for key, figure in found.items()}
        if not arguments.skip_large:
            large = ensure_model("7b")
            result |= {f"{key}_7b_4g": figure for key, figure in refuse(image, large, "4g").items()}
            found, more = serve(image, large, "8g", LARGE_SECONDS)
            result |= {f"{key}_7b_8g": figure for key, figure in found.items()}
            samples += more
    except (StageFailure, RuntimeError) as failure:
        print(getattr(failure, "why", failure), getattr(failure, "remedy", ""), sep="\n", file=sys.stderr)
        return 1
    write_report("soak", result, samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
