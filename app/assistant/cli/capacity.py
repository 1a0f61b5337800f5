"""``python -m assistant capacity``: what a model takes on this host, and what to expect of it.

Safe beside a live service: it runs at the lowest priority, takes no more memory than is free (or generates
nothing and says so), and asks its questions for no more than ``--seconds``; loading comes before. Both share
the memory's bandwidth: meanwhile the service is slower, and the figures are lower than they would be alone.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from assistant.inference.backend import InferenceError
from assistant.inference.embedded import EmbeddedBackend, LoadedModel
from assistant.inference.fit import Need, cells_needed, explain, fits, mebibytes, memory_needed
from assistant.inference.gguf import read_header
from assistant.inference.gguf_reader import GgufError
from assistant.inference.host import Memory, free_memory, usable_cores, usable_memory
from assistant.inference.measure import ANSWER_TOKENS, Speed, bytes_a_token, speed, stream_bandwidth

TOGETHER = 8
CONTEXT_TOKENS = 512
# What is read to find the bandwidth: more than caches hold.
STREAM_BYTES = 1 << 30
BUSY_LOAD = 0.5


@dataclass(frozen=True)
class Capacity:
    """All that is known. Bytes and bytes a second; what was not measured is None, and ``notes`` say why."""

    model: str
    cores: int
    memory: Memory
    cells: int
    need: Need
    fits: bool
    need_repacked: Need
    fits_repacked: bool
    bytes_a_token: int
    bandwidth: float | None
    tokens_per_second_limit: float | None
    repacked: bool
    alone: Speed | None
    together: Speed | None
    notes: Sequence[str]


def capacity(path: Path, *, context_tokens: int, conversations: int, seconds: float) -> Capacity:
    """Judge the model ``path`` on this host, and measure it where it fits.

    Args:
        path: the GGUF file.
        context_tokens: the longest conversation.
        conversations: how many are answered at once; for the memory, the measurement has its own numbers.
        seconds: how long questions may be asked and answered; 0 measures nothing. What comes before, the
            memory's bandwidth and loading, is not counted.

    Raises:
        GgufError: the file is no model that can be served.
    """
    header, memory, cores, free = read_header(path), usable_memory(), usable_cores(), free_memory()
    cells = cells_needed(min(context_tokens, header.trained_context), conversations)
    plain, copied = (memory_needed(header, cells=cells, repack=choice) for choice in (False, True))
    repack, notes = fits(copied, memory.size), []
    bandwidth, alone, together = None, None, None
    if seconds > 0:
        if os.getloadavg()[0] > BUSY_LOAD:
            notes.append("other programs are running: on an idle host the figures would be higher")
        bandwidth = stream_bandwidth(min(STREAM_BYTES, free // 4), cores)
        trial = [
            memory_needed(header, cells=cells_needed(CONTEXT_TOKENS, TOGETHER), repack=choice)
            for choice in (False, True)
        ]
        if repack and not _has_room(trial[True], free):
            repack = False
            notes.append("measured without repacked weights, for which no memory is free at the moment")
        if fits(plain, memory.size) and _has_room(trial[False], free):
            alone, together = _measure(path, repack, seconds, notes)
        else:
            notes.append(f"nothing was generated: only {mebibytes(free)} MiB are free at the moment")
    per_token = bytes_a_token(header)
    return Capacity(
        model=str(path),
        cores=cores,
        memory=memory,
        cells=cells,
        need=plain,
        fits=fits(plain, memory.size),
        need_repacked=copied,
        fits_repacked=fits(copied, memory.size),
        bytes_a_token=per_token,
        bandwidth=bandwidth,
        tokens_per_second_limit=bandwidth / per_token if bandwidth else None,
        repacked=repack,
        alone=alone,
        together=together,
        notes=notes,
    )


def _has_room(need: Need, free: int) -> bool:
    """Whether a second process finds room; it shares the mapped file with the first."""
    return need.total_bytes - need.weights_bytes < free


def _measure(path: Path, repack: bool, seconds: float, notes: list[str]) -> tuple[Speed | None, Speed | None]:
    """Load the model and measure one conversation, then eight at once."""
    failures: list[Exception] = []
    found: list[Speed] = []

    def load() -> LoadedModel:
        from assistant.inference.model import Model

        choice = "on" if repack else "off"
        return Model(
            path, context_tokens=CONTEXT_TOKENS, threads=0, parallel=TOGETHER, system=[], repack=choice
        )

    backend = EmbeddedBackend(load, [], failures.append)
    backend.start()
    # Where loading fails there is a reason in ``failures``, and the first question ends at once.
    while not backend.ready and not failures:
        time.sleep(0.05)
    end = time.monotonic() + seconds
    try:
        # Reading eight questions takes longer than reading one.
        for conversations, share in ((1, 0.4), (TOGETHER, 1.0)):
            found.append(speed(backend, conversations, max(1.0, (end - time.monotonic()) * share)))
    except InferenceError as error:
        reason = str(failures[0] if failures else error)
        notes.append(f"the measurement ended early ({reason}); a larger --seconds gives it more time")
    finally:
        backend.stop()
    return (found[0] if found else None), (found[1] if len(found) > 1 else None)


def as_text(found: Capacity) -> str:
    """Return the report for people."""
    memory = f"{mebibytes(found.memory.size)} MiB ({found.memory.source})"
    verdict = ("does not fit", "fits")
    lines = [
        f"model       {found.model}",
        f"host        {found.cores} cores, {memory}",
        f"memory      {verdict[found.fits]}: {explain(found.need, found.cells)}",
        f"repacked    {verdict[found.fits_repacked]}: {explain(found.need_repacked, found.cells)}",
    ]
    if found.bandwidth is not None and found.tokens_per_second_limit is not None:
        lines.append(
            f"bandwidth   {found.bandwidth / 1e9:.1f} GB/s, of which a token takes "
            f"{found.bytes_a_token / 1e9:.2f} GB: at most {found.tokens_per_second_limit:.1f} tokens a "
            "second for one conversation"
        )
    weights = "repacked" if found.repacked else "not repacked"
    for label, got in (("alone", found.alone), (f"{TOGETHER} at once", found.together)):
        if got is not None:
            lines.append(
                f"{label:<11} {got.tokens_per_second:.1f} tokens a second, {got.answers_per_second:.2f} "
                f"answers a second, first word after {got.first_token_seconds:.1f} s (questions of "
                f"{got.prompt_tokens} tokens, answers of {ANSWER_TOKENS}; weights {weights})"
            )
    return "\n".join([*lines, *(f"note        {note}" for note in found.notes)])


def run(options: argparse.Namespace) -> int:
    """Print the report; returns the exit status: 0, or 1 where the model cannot be served here."""
    if not options.model:
        print("capacity: no model is named; example: --model /models/model.gguf", file=sys.stderr)
        return 1
    if options.conversations < 1 or options.context_tokens < 1:
        print(
            "capacity: --conversations and --context-tokens must be 1 or more; example: 4, 2048",
            file=sys.stderr,
        )
        return 1
    # Whatever else runs here comes first.
    os.nice(19)
    try:
        found = capacity(
            Path(options.model),
            context_tokens=options.context_tokens,
            conversations=options.conversations,
            seconds=options.seconds,
        )
    except GgufError as error:
        print(f"{options.model}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(found)) if options.json else as_text(found))
    return 0 if found.fits else 1
