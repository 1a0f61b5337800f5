"""``make bench-inference``: the assistant beside llama_cpp.server and llama-server.

Each round asks every server the same messages at the same number of callers, the servers in another order
each time, so that what else the machine does hits all alike; a ratio is made within a round, and the figure
is the median of the rounds. Before a round each caller of each server has had one answer that is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench.cold_start import ColdStarts
from tests.bench.cold_start import measure as measure_starts
from tests.bench.inference.load import Round, run_round
from tests.bench.inference.peers import draw, ensure_llama_cpp_server, ensure_llama_server
from tests.bench.inference.prompts import messages
from tests.bench.inference.servers import (
    LLAMA_CPP_SERVER,
    LLAMA_SERVER,
    OURS,
    TOKEN,
    Running,
    assistant,
    llama_cpp_server,
    llama_server,
    memory_mib,
)
from tests.bench.models import SHAPES, ensure_model
from tests.bench.report import FOLDER, Figure, write_report
from tools.controller.failure import StageFailure

LEVELS = (1, 4, 8, 16)
# llama_cpp.server answers one request at a time: more callers tell nothing new, and take most of the time.
ONE_AT_A_TIME_LEVELS = (1, 8)
NEW_TOKENS = 32
# Requests of a round, by callers: enough to be busy most of the time, few enough for alternating often.
REQUESTS = {1: 6, 4: 16, 8: 24, 16: 48}
# The bars are for the smallest; of the others, which take long, there are fewer rounds of fewer requests.
MAIN_SIZE = "0.5b"
OTHER_LEVELS, OTHER_ROUNDS, OTHER_REQUESTS = (1, 8), 2, {1: 3, 8: 8}
START_SIZE = "3b"
Sample = dict[str, Any]


def measure(size: str, rounds: int, levels: tuple[int, ...], folder: Path) -> tuple[list[Sample], Sample]:
    """Run all rounds over one model.

    Args:
        size: the model's size, one of ``SHAPES``.
        rounds: how many times every server is asked at every level.
        levels: numbers of callers at once.
        folder: where the servers may write.

    Returns:
        A sample a server, level and round; and each server's memory (MiB) and seconds until it was ready.
    """
    model = ensure_model(size)
    program, python = ensure_llama_server(), ensure_llama_cpp_server()
    samples: list[Sample] = []
    with ExitStack() as stack:
        servers = [
            stack.enter_context(assistant(model, folder / OURS)),
            stack.enter_context(llama_server(program, model, folder)),
            stack.enter_context(llama_cpp_server(python, model, folder)),
        ]
        for number in range(rounds):
            for level in levels:
                order = servers[number % len(servers) :] + servers[: number % len(servers)]
                for server in order:
                    if server.name == LLAMA_CPP_SERVER and level not in ONE_AT_A_TIME_LEVELS:
                        continue
                    requests = (REQUESTS if size == MAIN_SIZE else OTHER_REQUESTS)[level]
                    found = _ask(server, size, level, requests, seed=1000 * number + level)
                    samples.append(_sample(server.name, size, number, level, found))
                    print(_line(samples[-1]), flush=True)
        state = {
            server.name: {"ready_seconds": server.seconds_to_ready, **memory_mib(server)}
            for server in servers
        }
    return samples, state


def _ask(server: Running, size: str, level: int, requests: int, seed: int) -> Round:
    texts = messages(level + requests, seed)
    arguments = {"callers": level, "max_tokens": NEW_TOKENS}
    # The callers of the round before left cells and connections of another number of callers.
    run_round(server.url, size, TOKEN, texts[:level], **arguments)
    return run_round(server.url, size, TOKEN, texts[level:], **arguments)


def _sample(server: str, size: str, number: int, level: int, found: Round) -> Sample:
    return {
        "server": server,
        "model": size,
        "round": number,
        "callers": level,
        "requests_per_second": found.requests_per_second,
        "first_token_p50_seconds": found.first_token_percentile(50),
        "first_token_p99_seconds": found.first_token_percentile(99),
        "pieces": sum(answer.pieces for answer in found.answers),
    }


def _line(sample: Sample) -> str:
    return (
        f"{sample['model']} round {sample['round']} {sample['callers']:2d} callers {sample['server']:16s}"
        f" {sample['requests_per_second']:6.2f} requests/s, first token p50"
        f" {sample['first_token_p50_seconds']:6.3f} s p99 {sample['first_token_p99_seconds']:6.3f} s"
        f" ({sample['pieces']} pieces)"
    )


def figures(samples: list[Sample], suffix: str = "") -> dict[str, Figure]:
    """Return the medians, and the medians and spreads of the ratios within rounds, of one model's samples."""
    found: dict[tuple[int, int], dict[str, Sample]] = defaultdict(dict)
    for sample in samples:
        found[sample["round"], sample["callers"]][sample["server"]] = sample
    result: dict[str, Figure] = {}
    for level in sorted({callers for _, callers in found}):
        rounds = [servers for (_, callers), servers in sorted(found.items()) if callers == level]
        names = [n for n in (OURS, LLAMA_SERVER, LLAMA_CPP_SERVER) if all(n in r for r in rounds)]
        for peer in names[1:]:
            ratios = [r[OURS]["requests_per_second"] / r[peer]["requests_per_second"] for r in rounds]
            _spread(result, f"requests_ratio_{peer}_c{level}{suffix}", ratios)
        ratios = [
            r[OURS]["first_token_p99_seconds"] / r[LLAMA_SERVER]["first_token_p99_seconds"] for r in rounds
        ]
        _spread(result, f"ttft_p99_ratio_{LLAMA_SERVER}_c{level}{suffix}", ratios)
        for name in names:
            for key in ("requests_per_second", "first_token_p50_seconds", "first_token_p99_seconds"):
                result[f"{key}_{name}_c{level}{suffix}"] = statistics.median(r[name][key] for r in rounds)
    return result


def _spread(result: dict[str, Figure], name: str, ratios: list[float]) -> None:
    result[name] = statistics.median(ratios)
    result[f"{name}_min"], result[f"{name}_max"] = min(ratios), max(ratios)


def start_figures(found: ColdStarts, kind: str) -> dict[str, Figure]:
    """Return the ratio ``<kind>_start_ratio_3b``, and seconds and memory of both, with their spreads."""
    ratios = [theirs.seconds / ours.seconds for ours, theirs in zip(found.ours, found.default, strict=True)]
    result: dict[str, Figure] = {}
    _spread(result, f"{kind}_start_ratio_{START_SIZE}", ratios)
    for name, who in ((OURS, "ours"), ("library_default", "default")):
        starts = found.of(who)
        _spread(result, f"{kind}_start_seconds_{name}_{START_SIZE}", [start.seconds for start in starts])
        mebibytes = statistics.median(start.rss for start in starts) / 2**20
        result[f"{kind}_start_resident_mib_{name}_{START_SIZE}"] = mebibytes
    return result


def _starts(pairs: int) -> dict[str, Figure]:
    """Measure from the start of a process to its first token: cold with each choice of ours, and warm.

    ``cold`` is the choice that starts soonest, weights used where they are mapped; ``cold_repacked`` is what
    ``auto`` takes where memory is plenty.
    """
    model = ensure_model(START_SIZE)
    result = start_figures(measure_starts(model, pairs, "off"), "cold")
    result |= start_figures(measure_starts(model, pairs, "on"), "cold_repacked")
    return result | start_figures(measure_starts(model, pairs, "off", warm=True), "warm")


def _room_for(size: str) -> bool:
    """Whether the three servers, which run side by side and two of them with copies, fit into the memory."""
    needed = int(5.5 * ensure_model(size).stat().st_size) + (3 << 30)
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    if free >= needed:
        return True
    print(
        f"{size} is left out: three servers take about {needed >> 20} MiB, {free >> 20} MiB are free",
        file=sys.stderr,
    )
    return False


def main() -> int:
    """Measure and write build/bench/inference.json; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.inference", description=__doc__)
    parser.add_argument(
        "--sizes", nargs="+", choices=sorted(SHAPES), default=["0.5b", "1.5b", "3b"], metavar="SIZE"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help=f"alternating rounds of {MAIN_SIZE} (default: %(default)s)"
    )
    parser.add_argument(
        "--levels", type=int, nargs="+", choices=LEVELS, default=list(LEVELS), metavar="CALLERS"
    )
    parser.add_argument(
        "--start-pairs", type=int, default=5, help="starts of the 3B shape; 0 leaves them out"
    )
    arguments = parser.parse_args()
    result: dict[str, Figure] = {"rounds": arguments.rounds}
    samples: list[Sample] = []
    try:
        if arguments.start_pairs:
            result |= _starts(arguments.start_pairs)
        for size in arguments.sizes:
            main_size = size == MAIN_SIZE
            if not main_size and not _room_for(size):
                continue
            rounds = arguments.rounds if main_size else min(arguments.rounds, OTHER_ROUNDS)
            levels = [n for n in arguments.levels if main_size or n in OTHER_LEVELS]
            with tempfile.TemporaryDirectory(prefix="bench-inference-") as folder:
                found, state = measure(size, rounds, tuple(levels), Path(folder))
            samples += found
            suffix = "" if main_size else f"_{size.replace('.', '_')}"
            result |= figures(found, suffix)
            result |= {
                f"{key}_{server}{suffix}": figure
                for server, all_ in state.items()
                for key, figure in all_.items()
            }
    except (StageFailure, RuntimeError) as failure:
        print(failure, file=sys.stderr)
        return 1
    write_report("inference", result, samples)
    draw(FOLDER / "inference.samples.json", FOLDER / "inference.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
