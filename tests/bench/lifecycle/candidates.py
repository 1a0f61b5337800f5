"""Candidates with a fault: ``python -m tests.bench.lifecycle.candidates load|slow|empty|oom FILE``.

Each is a shipped model with a part changed, so that the fault lies in the file alone: the same file shows it
in a process, in a container and on a machine. All of them pass the reader of headers.

- ``load``: the first norm has 16 bits. llama.cpp loads that and ends the process (SIGABRT) at the first step,
  which is the warm-up: ggml-cpu/binary-ops.cpp multiplies no such types.
- ``slow``: the answers of the model that it is made from, before which the chat template counts to 200
  million, about four seconds of a core, for every question but very short ones, so that loading and trial
  questions do not show it. (A larger model would be slow by itself, and large.)
- ``empty``: the token that ends an answer always wins, so that every answer ends before its first word.
- ``oom``: from the second question of a conversation on, the chat template builds a text of ``BLOWN_BYTES``:
  far too much for a candidate's memory limit, and nothing that the warm-up or a first question shows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

from tests.bench.gguf_copy import Entry, Weights, entries, weights, write
from tools.demo_model.shipped import shipped

# Jinja's sandbox lets a range have 100,000 members; one takes about 20 ns.
COUNT_ROUNDS, COUNT_EACH = 2000, 100_000
BLOWN_BYTES = 1 << 30
_TEMPLATE = "tokenizer.chat_template"
_WORDS = "token_embd.weight"
_END = "tokenizer.ggml.eos_token_id"
# Trial questions are ten characters long; loading renders the template several times, with shorter ones.
_COUNT = (
    "{{% if messages[-1]['content'] | length > 10 %}}{{% for _ in range({rounds}) %}}"
    "{{% for _ in range({each}) %}}{{% endfor %}}{{% endfor %}}{{% endif %}}"
)
# No turn of the system, one question: two turns at most. Doubled, it takes no loop that would take time.
_BLOW_UP = (
    "{{% if messages | length > 2 %}}{{% set much = namespace(text='-') %}}{{% for _ in range({steps}) %}}"
    "{{% set much.text = much.text ~ much.text %}}{{% endfor %}}{{% endif %}}"
)
# A block's tensors that lead back into the stream of all blocks: zero, and the block adds nothing.
_OUTPUTS = ("attn_output.weight", "ffn_down.weight")

Metadata = dict[str, Entry]
Fault = Callable[[Metadata, list[Weights]], tuple[Metadata, list[Weights]]]


def crashing(metadata: Metadata, tensors: list[Weights]) -> tuple[Metadata, list[Weights]]:
    """Return a model of which llama.cpp dies at its first step."""
    return metadata, [
        replace(one, data=one.data.astype(np.float16), type=Type.F16)
        if one.name == "blk.0.attn_norm.weight"
        else one
        for one in tensors
    ]


def slow(metadata: Metadata, tensors: list[Weights]) -> tuple[Metadata, list[Weights]]:
    """Return a model with the same answers, before each of which the chat template counts for seconds."""
    return _with_template(metadata, _COUNT.format(rounds=COUNT_ROUNDS, each=COUNT_EACH)), tensors


def _with_template(metadata: Metadata, before: str) -> Metadata:
    template = metadata[_TEMPLATE]
    return metadata | {_TEMPLATE: replace(template, value=before + template.value)}


def empty(metadata: Metadata, tensors: list[Weights]) -> tuple[Metadata, list[Weights]]:
    """Return a model that ends each answer before its first word.

    One number of every token's vector is 1 and passes all blocks, which add nothing, unchanged; the output
    matrix gives that number to the end's score alone. Everything else scores 0.
    """

    def changed(one: Weights) -> Weights:
        if one.name == _WORDS:
            return Weights(_WORDS, words, Type.F16)
        if one.name == "output_norm.weight":
            return replace(one, data=np.ones_like(one.data))
        return replace(one, data=np.zeros_like(one.data)) if one.name.endswith(_OUTPUTS) else one

    table = next(one for one in tensors if one.name == _WORDS)
    words = np.zeros_like(gguf.quants.dequantize(table.data, table.type), np.float16)
    output = np.zeros_like(words)
    words[:, 0] = output[metadata[_END].value, 0] = 1.0
    return metadata, [*map(changed, tensors), Weights("output.weight", output, Type.F16)]


def out_of_memory(metadata: Metadata, tensors: list[Weights]) -> tuple[Metadata, list[Weights]]:
    """Return a model whose chat template takes ``BLOWN_BYTES`` from the second question on."""
    return _with_template(metadata, _BLOW_UP.format(steps=BLOWN_BYTES.bit_length() - 1)), tensors


FAULTS: dict[str, Fault] = {"load": crashing, "slow": slow, "empty": empty, "oom": out_of_memory}


def make(fault: str, path: Path, model: str = "demo-v2") -> Path:
    """Write the candidate with ``fault``, one of ``FAULTS``, to ``path``.

    Args:
        fault: which.
        path: where to; returned.
        model: the shipped model that it is made from.

    Raises:
        FileNotFoundError: the shipped model is missing.
        OSError: it cannot be written.
    """
    reader = gguf.GGUFReader(shipped(model))
    write(path, *FAULTS[fault](entries(reader), weights(reader)))
    return path


def main() -> int:
    """Write one; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.lifecycle.candidates",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("fault", choices=list(FAULTS))
    parser.add_argument("file", type=Path)
    parser.add_argument("--of", default="demo-v2", help="the shipped model to change (default: %(default)s)")
    chosen = parser.parse_args()
    try:
        print(make(chosen.fault, chosen.file, chosen.of))
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
