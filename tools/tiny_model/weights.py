"""Random weights for a llama-architecture model, shaped so that random output is readable.

The residual stream's first two dimensions are reserved: no block writes to them, so they carry a value from
the embedding straight to the output layer, as the bias that the llama architecture does not have.

- Dimension 0 is the same constant for every token. Output rows hold the token's bias in it: tokens that are
  no text of their own (parts of a character, control bytes) get a large negative one, whole words a small
  positive one.
- Dimension 1 is set for the line feed alone, the last token of a ChatML prompt. The end token's output row is
  strongly negative in it, so that an answer is never empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

_CONSTANT = 4.0  # value of dimension 0 in every embedding: about 4 standard deviations of the others
_MARK = 4.0  # value of dimension 1 in the line feed's embedding
_NEVER = -16.0  # output weights of a reserved dimension: rules a token out,
_SELDOM = -0.5  # makes the inner part of a word seldom,
_OFTEN = 0.5  # and a whole word frequent


@dataclass(frozen=True)
class Shape:
    """Sizes of the model; every row length is a multiple of 32, the block size of Q4_0."""

    width: int = 128
    layers: int = 3
    heads: int = 4
    key_value_heads: int = 2
    feed_forward: int = 256
    context: int = 4096
    norm_epsilon: float = 1e-5
    rope_base: float = 10000.0

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


@dataclass(frozen=True)
class TokenRoles:
    """Which token ids the output layer treats differently."""

    count: int
    suppressed: frozenset[int]
    preferred: frozenset[int]
    end: int
    line_feed: int


class _Source:
    """Uniform numbers from raw PCG64 bits.

    numpy promises a stable bit stream, not stable distributions between its releases; so only bits are used.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def matrix(self, rows: int, columns: int, deviation: float) -> Array:
        """Give a matrix of uniform numbers with mean 0 and the given standard deviation."""
        raw = self._bits.random_raw(rows * columns) >> np.uint64(40)  # 24 bits: exact in float32
        unit = raw.astype(np.float32) / np.float32(1 << 23) - np.float32(1)
        return np.asarray(unit * np.float32(deviation * 3**0.5), dtype=np.float32).reshape(rows, columns)


def make_tensors(shape: Shape, roles: TokenRoles, seed: int) -> dict[str, Array]:
    """Make all tensors of the model.

    Args:
        shape: the sizes.
        roles: the vocabulary's size and the tokens that need care.
        seed: the same seed gives the same numbers on every machine.

    Returns:
        tensors by their GGUF names; 2-D ones are (rows, columns) = (out, in).
    """
    source = _Source(seed)
    tensors: dict[str, Array] = {"token_embd.weight": _embedding(source, shape, roles)}
    fan_in = shape.width**-0.5
    key_value_width = shape.head_width * shape.key_value_heads
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        tensors[block + "attn_norm.weight"] = np.ones(shape.width, dtype=np.float32)
        tensors[block + "attn_q.weight"] = source.matrix(shape.width, shape.width, fan_in)
        tensors[block + "attn_k.weight"] = source.matrix(key_value_width, shape.width, fan_in)
        tensors[block + "attn_v.weight"] = source.matrix(key_value_width, shape.width, fan_in)
        tensors[block + "attn_output.weight"] = _reserved(source.matrix(shape.width, shape.width, fan_in))
        tensors[block + "ffn_norm.weight"] = np.ones(shape.width, dtype=np.float32)
        tensors[block + "ffn_gate.weight"] = source.matrix(shape.feed_forward, shape.width, fan_in)
        tensors[block + "ffn_up.weight"] = source.matrix(shape.feed_forward, shape.width, fan_in)
        down = source.matrix(shape.width, shape.feed_forward, shape.feed_forward**-0.5)
        tensors[block + "ffn_down.weight"] = _reserved(down)
    tensors["output_norm.weight"] = np.ones(shape.width, dtype=np.float32)
    tensors["output.weight"] = _output(source, shape, roles)
    return tensors


def _embedding(source: _Source, shape: Shape, roles: TokenRoles) -> Array:
    embedding = source.matrix(roles.count, shape.width, 1.0)
    embedding[:, 0] = _CONSTANT
    embedding[:, 1] = 0.0
    embedding[roles.line_feed, 1] = _MARK
    return embedding


def _reserved(matrix: Array) -> Array:
    """Keep a block from writing to the two reserved dimensions."""
    matrix[:2, :] = 0.0
    return matrix


def _output(source: _Source, shape: Shape, roles: TokenRoles) -> Array:
    output = source.matrix(roles.count, shape.width, 2.0 * shape.width**-0.5)  # logits deviate by about 2
    output[:, :2] = 0.0
    output[:, 0] = _SELDOM
    for token in sorted(roles.preferred):
        output[token, 0] = _OFTEN
    for token in sorted(roles.suppressed):
        output[token, :] = 0.0
        output[token, 0] = _NEVER
    output[roles.end, :] = 0.0
    output[roles.end, 0] = 1.6  # high enough for an answer to end after some tens of tokens
    output[roles.end, 1] = _NEVER
    return output
