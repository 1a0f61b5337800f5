"""``python -m tests.bench.models 0.5b``: a model of a real one's shape with random 4-bit weights.

How fast a model is, and how much memory it takes, depends on its shape and not on its weights' values; so a
file that anybody can make stands in for one that has to be downloaded. Answers are random words and hardly
ever end by themselves. The shapes are those of Qwen2.5 (https://arxiv.org/abs/2412.15115, table 1, and the
published configurations), and the types those that llama.cpp's quantiser gives them: the output matrix has
6 bits, or 8 where its rows are no multiple of 256.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

from tests.bench.random_blocks import random_blocks
from tools.controller.cache import ROOT, cache_directory, fingerprint
from tools.tiny_model.bpe import Pair, token_bytes, train
from tools.tiny_model.make_tiny_model import CORPUS, MERGES
from tools.tiny_model.metadata import SPECIAL_TOKENS, add_model, add_tokenizer, vocabulary
from tools.tiny_model.weights import Shape

SEED = 1


def _shape(width: int, layers: int, heads: int, key_value_heads: int, feed_forward: int) -> Shape:
    return Shape(width, layers, heads, key_value_heads, feed_forward, 32768, 1e-6, 1000000.0)


SHAPES = {
    "0.5b": _shape(896, 24, 14, 2, 4864),
    "1.5b": _shape(1536, 28, 12, 2, 8960),
    "3b": _shape(2048, 36, 16, 2, 11008),
    "7b": _shape(3584, 28, 28, 4, 18944),
}
# Only the 7B model has an output matrix of its own; in the others the embedding serves as that too.
OWN_OUTPUT = {"7b"}
VOCABULARY = {"0.5b": 151936, "1.5b": 151936, "3b": 151936, "7b": 152064}
WEIGHTS = {"q4_0": Type.Q4_0, "q4_k": Type.Q4_K}
FILE_TYPES = {
    "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
    # Every matrix at 4 bits; the mixture "M" has 6 bits in some.
    "q4_k": gguf.LlamaFileType.MOSTLY_Q4_K_S,
}


def ensure_model(size: str, weights: str = "q4_0") -> Path:
    """Make the model if it is not cached, and return its path.

    Args:
        size: one of ``SHAPES``.
        weights: one of ``WEIGHTS``.

    Raises:
        OSError: no room, or no right to write, in the cache.
    """
    tiny = ROOT / "tools" / "tiny_model"
    own = Path(__file__)
    inputs = (CORPUS, tiny / "bpe.py", tiny / "metadata.py", own, own.with_name("random_blocks.py"))
    path = cache_directory("bench-models", fingerprint(*inputs)) / f"{size}-{weights}.gguf"
    if not path.exists():
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            _write(partial, size, weights)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    return path


def _write(path: Path, size: str, weights: str) -> None:
    shape, count = SHAPES[size], VOCABULARY[size]
    merges = train(CORPUS.read_text(encoding="utf-8"), MERGES)
    merges += _more_merges(merges, count - len(vocabulary(merges)))
    writer = gguf.GGUFWriter(path, "qwen2")
    add_model(writer, shape, count, name=f"random-{size}-{weights}", seed=SEED, file_type=FILE_TYPES[weights])
    add_tokenizer(writer, vocabulary(merges), merges)
    plan = list(_tensors(size, WEIGHTS[weights]))
    for name, rows, columns, kind in plan:
        dimensions = (rows, columns) if rows else (columns,)
        # float32 tells the writer that the dimensions count elements, not bytes.
        size_in_bytes = _layout(rows, columns, kind)[1]
        writer.add_tensor_info(name, dimensions, np.dtype(np.float32), size_in_bytes, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    source = np.random.default_rng(SEED)
    for name, rows, columns, kind in plan:
        if rows:
            blocks = _layout(rows, columns, kind)[0]
            writer.write_tensor_data(random_blocks(source, kind, blocks, columns**-0.5))
        else:
            writer.write_tensor_data(np.full(columns, name.endswith("norm.weight"), dtype=np.float32))
    writer.close()


def _more_merges(learned: list[Pair], wanted: int) -> list[Pair]:
    """Give as many further merges as a real vocabulary has: pairs of learned words, short ones first.

    Loading time grows with the vocabulary, and every token must be a text: a client sees an answer begin
    with its first letter, not with its first token.
    """
    known = set(vocabulary(learned))
    words = [word for word in vocabulary(learned) if word not in SPECIAL_TOKENS and _is_text(word)]
    found: list[Pair] = []
    for diagonal in range(2 * len(words) - 1):
        for left in range(max(0, diagonal - len(words) + 1), min(diagonal + 1, len(words))):
            pair = (words[left], words[diagonal - left])
            if pair[0] + pair[1] not in known:
                known.add(pair[0] + pair[1])
                found.append(pair)
                if len(found) == wanted:
                    return found
    raise ValueError(f"{len(words)} words give {len(found)} pairs, {wanted} are wanted: use a longer corpus")


def _is_text(token: str) -> bool:
    try:
        return token_bytes(token).decode().isprintable()
    except UnicodeDecodeError:  # a part of a character
        return False


def _tensors(size: str, weights: Type) -> Iterator[tuple[str, int, int, Type]]:
    """Yield (name, rows, columns, type) in the file's order; rows 0 means a vector."""
    shape, count = SHAPES[size], VOCABULARY[size]
    width, key_value = shape.width, shape.head_width * shape.key_value_heads
    output = Type.Q6_K if width % 256 == 0 else Type.Q8_0
    yield "token_embd.weight", count, width, _fitting(weights, width) if size in OWN_OUTPUT else output
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", 0, width, Type.F32
        for name, rows in (("q", width), ("k", key_value), ("v", key_value)):
            yield f"{block}attn_{name}.weight", rows, width, _fitting(weights, width)
            yield f"{block}attn_{name}.bias", 0, rows, Type.F32
        yield block + "attn_output.weight", width, width, _fitting(weights, width)
        yield block + "ffn_norm.weight", 0, width, Type.F32
        for name in ("gate", "up"):
            yield f"{block}ffn_{name}.weight", shape.feed_forward, width, _fitting(weights, width)
        yield block + "ffn_down.weight", width, shape.feed_forward, _fitting(weights, shape.feed_forward)
    yield "output_norm.weight", 0, width, Type.F32
    if size in OWN_OUTPUT:
        yield "output.weight", count, width, output


def _fitting(kind: Type, columns: int) -> Type:
    """Return ``kind``, or Q4_0 where its blocks are too long for the rows."""
    return kind if columns % gguf.GGML_QUANT_SIZES[kind][0] == 0 else Type.Q4_0


def _layout(rows: int, columns: int, kind: Type) -> tuple[int, int]:
    """Return how many blocks a tensor has, and how many bytes."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = max(1, rows) * columns // block
    return blocks, blocks * size


def main() -> int:
    """Make the models that are named and print their paths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="+", choices=sorted(SHAPES), metavar="SIZE", help=", ".join(SHAPES))
    parser.add_argument("--weights", choices=sorted(WEIGHTS), default="q4_0")
    arguments = parser.parse_args()
    for size in arguments.sizes:
        try:
            print(ensure_model(size, arguments.weights), flush=True)
        except OSError as error:
            print(f"cannot make the {size} model: {error}; see AI_ASSISTANT_CACHE", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
