"""How a model file gets into memory: decided from the host's memory before anything is loaded."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from assistant.inference.fit import Need, cells_needed, explain, fits, mebibytes, memory_needed
from assistant.inference.gguf import Header, read_header
from assistant.inference.host import Memory, usable_memory


class DoesNotFitHost(ValueError):
    """The model needs more memory than there is; the text has the numbers and what to change."""


@dataclass(frozen=True)
class Plan:
    """Whether weights are repacked, why, and what memory that takes."""

    repack: bool
    reason: str
    need: Need


def plan(header: Header, *, cells: int, repack: str, memory: Memory, locked: bool = False) -> Plan:
    """Decide whether llama.cpp copies the weights into the layout that suits the CPU best.

    The copies make reading prompts several times as fast. They delay the first token, and while there is
    memory to spare the mapped file stays beside them.

    Args:
        header: the model file's.
        cells: tokens of key-value cache, all conversations together.
        repack: ``auto``, or ``on`` or ``off`` whatever the memory is.
        memory: what there is.
        locked: whether the mapped file is locked in memory.

    Raises:
        DoesNotFitHost: it does not even fit without copies.
    """
    plain = memory_needed(header, cells=cells, repack=False)
    copied = memory_needed(header, cells=cells, repack=True, locked=locked)
    there = f"{memory.source} of {mebibytes(memory.size)} MiB"
    if not fits(plain, memory.size):
        raise DoesNotFitHost(
            f"the model does not fit into {there} with 5 percent to spare: {explain(plain, cells)}; "
            "take a smaller model, raise the limit (assistant_memory_limit, docker run --memory), or lower "
            "ASSISTANT_CONTEXT_TOKENS or ASSISTANT_PARALLEL"
        )
    if repack == "off":
        return Plan(False, "ASSISTANT_REPACK is off", plain)
    if repack == "on":
        return Plan(True, "ASSISTANT_REPACK is on", copied)
    needed = f"with repacked weights it needs {mebibytes(copied.total_bytes)} MiB"
    if fits(copied, memory.size):
        return Plan(True, f"{needed}, which fits into {there}", copied)
    without = f"without them {mebibytes(plain.total_bytes)} MiB"
    return Plan(False, f"{needed}, too much for {there}; {without}", plain)


def judge(path: Path, *, context_tokens: int, parallel: int, repack: str, locked: bool = False) -> Plan:
    """Plan for the file ``path`` on this host.

    Args:
        path: the GGUF file.
        context_tokens: the longest conversation.
        parallel: how many conversations are answered at once.
        repack: ``auto``, ``on`` or ``off``.
        locked: whether the mapped file is locked in memory.

    Raises:
        DoesNotFitHost: it needs more memory than there is.
        GgufError: the file is no model that can be served.
    """
    header = read_header(path)
    cells = cells_needed(min(context_tokens, header.trained_context), parallel)
    return plan(header, cells=cells, repack=repack, memory=usable_memory(), locked=locked)


def read_ahead(path: Path) -> threading.Thread:
    """Ask the kernel for the file's pages, the first layers' first; returns at once.

    llama.cpp maps the file with MAP_POPULATE, which reads it all, but only after it has read the vocabulary
    and made the tensors. Asking earlier, the disk works meanwhile.
    """
    thread = threading.Thread(target=_advise, args=(path,), name="read-ahead", daemon=True)
    thread.start()
    return thread


def _advise(path: Path) -> None:
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


def check_locked(path: Path, status: str) -> None:
    """Make sure that the model was locked in memory: llama.cpp itself only warns.

    Args:
        path: the model file.
        status: the text of /proc/self/status.

    Raises:
        ValueError: less is locked than the file has.
    """
    words = next(line.split() for line in status.splitlines() if line.startswith("VmLck:"))
    locked, size = int(words[1]) * 1024, path.stat().st_size
    # The header is not locked, the tensors are.
    if locked < size * 0.9:
        raise ValueError(
            f"ASSISTANT_LOCK_MEMORY is true, and only {mebibytes(locked)} of {mebibytes(size)} MiB could be "
            "locked: raise the limit on locked memory (`ulimits: memlock` of the container, which "
            "assistant_lock_memory: true sets; by hand docker run --ulimit memlock=-1), or set "
            "ASSISTANT_LOCK_MEMORY=false"
        )
