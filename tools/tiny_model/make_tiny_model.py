#!/usr/bin/env python3
"""Make a tiny, deterministic GGUF model: llama architecture, real tokenizer, random weights.

It stands in for a trained model wherever the path around the model is what matters: the demo and the tests.

Usage: ``python tools/tiny_model/make_tiny_model.py OUT.gguf [--seed N]``. File format:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (keys, tensor names and token types).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

if not __package__:  # started as a script: make the repository's root importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import gguf

from tools.tiny_model.bpe import byte_alphabet, token_bytes, train
from tools.tiny_model.metadata import IM_END, SPECIAL_TOKENS, add_model, add_tokenizer, vocabulary
from tools.tiny_model.weights import Shape, TokenRoles, make_tensors

CORPUS = Path(__file__).with_name("corpus.txt")
MERGES = 1277


def make(path: Path, seed: int) -> None:
    """Write the model file.

    Args:
        path: where to write; replaced in one step, so that a reader never sees half a file.
        seed: the same seed gives a byte-identical file.

    Raises:
        OSError: when the file cannot be written.
    """
    merges = train(CORPUS.read_text(encoding="utf-8"), MERGES)
    tokens = vocabulary(merges)
    shape = Shape()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    writer = gguf.GGUFWriter(partial, "llama")
    file_type = gguf.LlamaFileType.MOSTLY_Q4_0
    add_model(writer, shape, len(tokens), name="tiny-random", seed=seed, file_type=file_type)
    add_tokenizer(writer, tokens, merges)
    for name, tensor in make_tensors(shape, token_roles(tokens), seed).items():
        if tensor.ndim == 1:
            writer.add_tensor(name, tensor)
        else:
            quantised = gguf.quants.quantize(tensor, gguf.GGMLQuantizationType.Q4_0)
            writer.add_tensor(name, quantised, raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(partial, path)


def token_roles(tokens: list[str]) -> TokenRoles:
    """Return which of the vocabulary's tokens read well, and which must not be said."""
    suppressed: set[int] = set()
    preferred: set[int] = set()
    for number, token in enumerate(tokens):
        if token in SPECIAL_TOKENS:
            if token != IM_END:
                suppressed.add(number)
            continue
        try:
            text = token_bytes(token).decode()
        except UnicodeDecodeError:  # a part of a character
            suppressed.add(number)
            continue
        if not text.isprintable() and text != "\n":
            suppressed.add(number)
        elif _reads_well(text):
            preferred.add(number)
    return TokenRoles(
        count=len(tokens),
        suppressed=frozenset(suppressed),
        preferred=frozenset(preferred),
        end=tokens.index(IM_END),
        line_feed=tokens.index(byte_alphabet()[ord("\n")]),
    )


def _reads_well(text: str) -> bool:
    """Tell words and short phrases from the inner parts of words."""
    if any("\u4e00" <= character <= "\u9fff" for character in text):
        return len(text) <= 4
    return text.startswith(" ") and len(text) > 3


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: arguments without the program's name; those of the process when None.

    Returns:
        the exit status: 0, or 1 when the file could not be written.
    """
    parser = argparse.ArgumentParser(description="Make a tiny GGUF model with random weights.")
    parser.add_argument("out", type=Path, metavar="OUT.gguf", help="file to write")
    parser.add_argument("--seed", type=int, default=1, help="0 or more, 1 if left out")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error(f"--seed is {options.seed}, it must be 0 or more, for example --seed 1")
    try:
        make(options.out, options.seed)
    except OSError as error:
        print(f"cannot write {options.out}: {error.strerror}; choose a writable path", file=sys.stderr)
        return 1
    print(f"{options.out}: {options.out.stat().st_size} bytes, seed {options.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
