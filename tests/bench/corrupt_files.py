"""What damaged model files do to the header's reader and to llama.cpp.

Run it by ``python -m tests.bench.corrupt_files``, with app/ in PYTHONPATH.

Each file that the reader accepts is loaded in a child process as the assistant loads it, and must answer a
question. Counted are files that were refused by the reader, refused by llama.cpp with a message, loaded and
answered, those of which the child died, and those that hung.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assistant.inference import trial
from assistant.inference.gguf import read_header
from assistant.inference.gguf_reader import GgufError
from assistant.inference.last_words import explain
from tests.bench.changed_entries import changed_entries
from tools.controller.model import ensure_tiny_model

OUTCOMES = ("refused by the reader", "refused on loading", "answered", "died", "hung")
HANG_SECONDS = 60
MEMORY_BYTES = 8 << 30


@dataclass
class Count:
    """Outcomes of one kind of damage, and the reasons with the damage's place."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, damage: str, outcome: str, reason: str) -> None:
        """Note what a file came to."""
        self.outcomes[outcome] += 1
        self.reasons.append((outcome, damage, reason))


def truncations(whole: bytes, count: int = 50) -> Iterator[tuple[str, bytes]]:
    """Give ``count`` files that are cut off, from nothing to all but the last part."""
    for piece in range(count):
        length = len(whole) * piece // count
        yield f"cut off after {length} bytes", whole[:length]


def flips(
    whole: bytes, places: Callable[[random.Random], int], count: int, seed: int
) -> Iterator[tuple[str, bytes]]:
    """Give ``count`` files with one bit changed at a byte that ``places`` chooses."""
    chance = random.Random(seed)
    for _ in range(count):
        place, bit = places(chance), chance.randrange(8)
        broken = bytearray(whole)
        broken[place] ^= 1 << bit
        yield f"byte {place} bit {bit}", bytes(broken)


def structure(whole: bytes, end: int) -> list[int]:
    """Return the header's bytes outside its long arrays of words, where damage says more."""
    spans = []
    for key in (b"tokenizer.ggml.tokens", b"tokenizer.ggml.token_type", b"tokenizer.ggml.merges"):
        start = whole.index(key) + len(key) + 24
        spans.append((start, whole.index(b"tokenizer.", start)))
    return [place for place in range(end) if not any(start <= place < stop for start, stop in spans)]


def outcome(path: Path) -> tuple[str, str]:
    """Return what becomes of a file and why; whatever llama.cpp does happens in a child."""
    try:
        read_header(path)
    except GgufError as error:
        return "refused by the reader", str(error)
    said = path.with_suffix(".log")
    child = os.fork()
    if not child:
        _child(path, said)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    text = said.read_bytes()
    if code == 0:
        return "answered", ""
    if code == 1:
        return "refused on loading", explain(1, text)
    if code == -signal.SIGALRM:
        return "hung", f"after {HANG_SECONDS} seconds"
    return "died", explain(code, text)


def _child(path: Path, said: Path) -> None:
    """Load the file and answer, in the forked process; never returns."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(HANG_SECONDS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # ggml would start a debugger for its last words.
    os.environ["GGML_NO_BACKTRACE"] = "1"
    log = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        trial.answer(path, repack="auto", threads=1, seconds=HANG_SECONDS)
    except BaseException as error:  # A forked child must end here.
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def survey(files: Iterator[tuple[str, bytes]], folder: Path) -> Count:
    """Look at all ``files``."""
    # In the parent, once: importing it takes longer than loading the tiny model.
    import llama_cpp  # noqa: F401

    found = Count()
    path = folder / "damaged.gguf"
    for damage, data in files:
        path.write_bytes(data)
        found.add(damage, *outcome(path))
    return found


def kinds(whole: bytes, end: int, count: int) -> dict[str, Iterator[tuple[str, bytes]]]:
    """Return the kinds of damage; ``end`` is where the header ends, ``count`` how many flips of a kind."""
    inner = structure(whole, end)
    return {
        "truncated": truncations(whole, min(50, count)),
        "a bit in the header": flips(whole, lambda c: c.randrange(end), count, 7),
        "a bit outside the word lists": flips(whole, lambda c: c.choice(inner), count, 8),
    }


def table(found: dict[str, Count]) -> str:
    """Return the counts as text."""
    lines = [f"{'damage':<30}" + "".join(f"{name:>23}" for name in OUTCOMES)]
    for kind, count in found.items():
        lines.append(f"{kind:<30}" + "".join(f"{count.outcomes[name]:>23}" for name in OUTCOMES))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 where a child died or hung."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", help="a small model (default: the demo's)")
    parser.add_argument("--count", type=int, default=1000, help="flips of a kind (default: %(default)s)")
    parser.add_argument("--reasons", type=Path, help="a JSON file for every outcome with its reason")
    options = parser.parse_args(arguments)
    model = options.model or ensure_tiny_model()
    whole = model.read_bytes()
    end = read_header(model).tensors[0].offset
    with tempfile.TemporaryDirectory() as folder:
        files = kinds(whole, end, options.count)
        files["an entry or a tensor changed"] = changed_entries(model, Path(folder))
        found: dict[str, Count] = {}
        for kind, each in files.items():
            found[kind] = survey(each, Path(folder))
            print(f"{kind}: {dict(found[kind].outcomes)}", flush=True)
    print(table(found))
    if options.reasons:
        options.reasons.write_text(json.dumps({k: c.reasons for k, c in found.items()}, indent=1))
    return int(any(c.outcomes["died"] or c.outcomes["hung"] for c in found.values()))


if __name__ == "__main__":
    sys.exit(main())
