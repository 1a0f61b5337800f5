"""How much memory a model needs, before it is loaded, and whether that fits. See ``gguf`` for the imports.

As a program, in the folder app/: ``python3 -m assistant.inference.fit FILE [--memory-bytes N] [--json]``.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

from .gguf import Header, read_header
from .gguf_reader import GgufError
from .gguf_tables import REPACKED_TYPES

# llama-context.cpp: n_ctx is padded to this.
CELLS_STEP = 256
# Tokens of one decode call: engine.PROMPT_TOKENS and a few answers.
BATCH_TOKENS = 264
# Tokens of the system prompt, which every conversation shares; longer ones take a little of the margin.
SYSTEM_TOKENS = 256
# The Python process with its libraries, llama.cpp's included, before a model is loaded.
PROCESS_BYTES = 150 << 20
# What must stay free in a container or host with just enough memory: threads' stacks, allocator, page tables.
MARGIN = 0.05


@dataclass(frozen=True)
class Need:
    """Memory in bytes. ``total_bytes`` is the sum of the others.

    ``weights_bytes`` are those read from the mapped file while the model answers.
    """

    weights_bytes: int
    repacked_bytes: int
    kv_bytes: int
    compute_bytes: int
    process_bytes: int
    total_bytes: int


def cells_needed(context_tokens: int, conversations: int, system_tokens: int = SYSTEM_TOKENS) -> int:
    """Return the cells of key-value cache: room for half of the conversations at their full length.

    Requests reserve what they may need, so that many short ones run at once, and long ones wait for each
    other.

    Args:
        context_tokens: the longest conversation.
        conversations: how many are answered at once.
        system_tokens: of the system prompt; without a tokenizer an estimate.
    """
    return system_tokens + context_tokens * ((conversations + 1) // 2)


def memory_needed(
    header: Header, *, cells: int, repack: bool, locked: bool = False, batch_tokens: int = BATCH_TOKENS
) -> Need:
    """Return what serving the model takes.

    - weights: all tensors. The file is memory-mapped, so the kernel may drop pages, but each token reads all
      of them: on a host with less the disk sets the speed.
    - repacked: with ``repack`` llama.cpp copies matrices into the layout that suits the CPU
      (ggml-cpu/repack.cpp and amx/: types Q4_0, Q4_K, ...; rows by 8). The table of embeddings is only
      looked up and stays, unless it is the output matrix too. What was copied is never read in the file
      again: the kernel takes those pages back when it needs them, so they do not count, unless the mapped
      file is locked in memory.
    - kv: 16-bit keys and values, cells x blocks x kv_heads x (key_length + value_length) x 2
      (llama-kv-cache.cpp), cells padded to 256. An upper bound where a model has sliding windows or blocks
      with fewer heads.
    - compute: the buffer of one decode call of ``batch_tokens`` is as large as its widest moment, 32-bit
      numbers: the attention scores heads x cells (flash attention, where the model allows it, needs less),
      the feed-forward's two halves, or the vocabulary's scores; beside it the residual, queries and the mask
      of cells.

    Args:
        header: the model.
        cells: tokens of key-value cache, all conversations together; see ``cells_needed``.
        repack: whether weights are repacked.
        locked: whether the mapped file is locked in memory.
        batch_tokens: tokens of one decode call.
    """
    cells = -(-cells // CELLS_STEP) * CELLS_STEP
    heads, embedding = header.heads, header.embedding
    widest = max(heads * cells, 2 * header.feed_forward + embedding, header.vocabulary)
    row = widest + cells + 3 * embedding + heads * (header.key_length + header.value_length)
    repacked = _repacked(header) if repack else 0
    parts = {
        "weights_bytes": header.weights_bytes - (0 if locked else repacked),
        "repacked_bytes": repacked,
        "kv_bytes": 2 * cells * header.blocks * header.kv_heads * (header.key_length + header.value_length),
        "compute_bytes": 4 * batch_tokens * row,
        "process_bytes": PROCESS_BYTES,
    }
    return Need(**parts, total_bytes=sum(parts.values()))


def _repacked(header: Header) -> int:
    tied = all(tensor.name != "output.weight" for tensor in header.tensors)
    return sum(
        tensor.size
        for tensor in header.tensors
        if tensor.type in REPACKED_TYPES
        and len(tensor.dims) > 1
        and tensor.dims[1] % 8 == 0
        and (tied or tensor.name != "token_embd.weight")
    )


def fits(need: Need, memory_bytes: int) -> bool:
    """Whether ``need`` fits into ``memory_bytes`` with a margin of 5 percent."""
    return need.total_bytes <= memory_bytes * (1 - MARGIN)


def mebibytes(size: int) -> int:
    """Return bytes as MiB, rounded up."""
    return -(-size // (1 << 20))


def explain(need: Need, cells: int, memory_bytes: int = 0) -> str:
    """Return the numbers on one line, and with ``memory_bytes`` whether they fit."""
    parts = f"weights {mebibytes(need.weights_bytes)}"
    if need.repacked_bytes:
        parts += f" + repacked weights {mebibytes(need.repacked_bytes)}"
    parts += f" + key-value cache of {cells} tokens {mebibytes(need.kv_bytes)}"
    parts += f" + buffers {mebibytes(need.compute_bytes)} + process {mebibytes(need.process_bytes)}"
    parts += f" = {mebibytes(need.total_bytes)} MiB"
    if not memory_bytes:
        return parts
    verdict = "which fits into" if fits(need, memory_bytes) else "which does not fit into"
    return f"{parts}, {verdict} {mebibytes(memory_bytes)} MiB less 5 percent"


def inspect(path: str, *, context_tokens: int, conversations: int, memory_bytes: int = 0) -> dict[str, Any]:
    """Return all that is known of a model file as plain values.

    The keys: ``error`` (empty where the file can be served; alone where not), what ``Header`` has, ``cells``,
    ``need``, ``need_repacked``, ``fits`` (not repacked; None where ``memory_bytes`` is 0), ``explanation``.
    """
    try:
        header = read_header(path)
    except GgufError as error:
        return {"error": str(error)}
    cells = cells_needed(min(context_tokens, header.trained_context), conversations)
    need = memory_needed(header, cells=cells, repack=False)
    names = (
        "version architecture file_size blocks embedding heads kv_heads key_length value_length vocabulary"
    )
    return {
        "error": "",
        **{
            name: getattr(header, name)
            for name in [*names.split(), "trained_context", "parameters", "quantization"]
        },
        "cells": cells,
        "need": asdict(need),
        "need_repacked": asdict(memory_needed(header, cells=cells, repack=True)),
        "fits": fits(need, memory_bytes) if memory_bytes else None,
        "explanation": explain(need, cells, memory_bytes),
    }


def main(arguments: list[str] | None = None) -> int:
    """Print what is known of a file; 0, or 1 where it cannot be served or does not fit."""
    parser = argparse.ArgumentParser(description="Judge a GGUF model file by its header.")
    parser.add_argument("file")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--context-tokens", type=int, default=2048, help="longest conversation")
    parser.add_argument("--conversations", type=int, default=4, help="answered at once")
    parser.add_argument("--memory-bytes", type=int, default=0, help="what there is; 0 = do not judge")
    options = parser.parse_args(arguments)
    found = inspect(
        options.file,
        context_tokens=options.context_tokens,
        conversations=options.conversations,
        memory_bytes=options.memory_bytes,
    )
    if options.json:
        print(json.dumps(found))
    elif found["error"]:
        print(f"{options.file}: {found['error']}", file=sys.stderr)
    else:
        kind = f"{found['architecture']} {found['quantization']}, {found['parameters']} parameters"
        print(f"{options.file}: {kind}")
        print(f"memory: {found['explanation']}")
    return int(bool(found["error"]) or found["fits"] is False)


if __name__ == "__main__":
    sys.exit(main())
