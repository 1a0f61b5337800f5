"""The network: llama's architecture in JAX, as llama.cpp computes it (llama.cpp, src/models/llama.cpp).

RMS normalisation before attention and feed-forward (Zhang and Sennrich, 2019, arXiv:1910.07467), rotary
positions over neighbouring pairs (Su et al., 2021, arXiv:2104.09864; LLAMA_ROPE_TYPE_NORM), grouped keys and
values (Ainslie et al., 2023, arXiv:2305.13245), SwiGLU (Shazeer, 2020, arXiv:2002.05202). The embedding
serves as the output matrix too. Tensors carry their GGUF names and GGUF's layout: (out, in).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tools.tiny_model.weights import Shape as Sizes

Weights = dict[str, Any]
FAR = -1e9


@dataclass(frozen=True, kw_only=True)
class Shape(Sizes):
    """Sizes, the vocabulary's among them; ``context`` is in tokens."""

    vocabulary: int
    context: int = 2048


def new_weights(shape: Shape, seed: int) -> Weights:
    """Return random weights to begin with, in float32."""
    source = np.random.default_rng(seed)
    width, narrow = shape.width, shape.head_width * shape.key_value_heads
    deep = (2 * shape.layers) ** -0.5

    def matrix(rows: int, columns: int, factor: float = 1.0) -> Any:
        normal = source.standard_normal((rows, columns)) * columns**-0.5 * factor
        return jnp.asarray(normal.astype(np.float32))

    weights: Weights = {
        "token_embd.weight": matrix(shape.vocabulary, width),
        "output_norm.weight": jnp.ones(width),
    }
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        weights |= {
            block + "attn_norm.weight": jnp.ones(width),
            block + "attn_q.weight": matrix(width, width),
            block + "attn_k.weight": matrix(narrow, width),
            block + "attn_v.weight": matrix(narrow, width),
            block + "attn_output.weight": matrix(width, width, deep),
            block + "ffn_norm.weight": jnp.ones(width),
            block + "ffn_gate.weight": matrix(shape.feed_forward, width),
            block + "ffn_up.weight": matrix(shape.feed_forward, width),
            block + "ffn_down.weight": matrix(width, shape.feed_forward, deep),
        }
    return weights


def forward(
    weights: Weights, shape: Shape, tokens: Any, segments: Any, positions: Any, dropout: Any = None
) -> Any:
    """Return the last layer's normalised outputs, (batch, length, width).

    Args:
        weights: see ``new_weights``.
        shape: the sizes that they have.
        tokens: (batch, length) token numbers.
        segments: (batch, length): several texts lie in one row, and each sees only itself.
        positions: (batch, length): each token's place in its own text.
        dropout: None, or (key, share): that share of the embedding's and blocks' outputs is dropped.
    """
    keys = iter(jax.random.split(dropout[0], 2 * shape.layers + 1)) if dropout else iter(())
    length = tokens.shape[1]
    state = _drop(weights["token_embd.weight"][tokens], keys, dropout)
    order = jnp.arange(length)
    seen = (segments[:, :, None] == segments[:, None, :]) & (order[:, None] >= order[None, :])
    mask = jnp.where(seen, 0.0, FAR)[:, None, None]
    turns = _turns(shape, positions)
    for layer in range(shape.layers):
        block = {n.split(".", 2)[2]: w for n, w in weights.items() if n.startswith(f"blk.{layer}.")}
        normal = norm(state, block["attn_norm.weight"], shape.norm_epsilon)
        state = state + _drop(_attention(block, shape, normal, mask, turns), keys, dropout)
        normal = norm(state, block["ffn_norm.weight"], shape.norm_epsilon)
        hidden = jax.nn.silu(normal @ block["ffn_gate.weight"].T) * (normal @ block["ffn_up.weight"].T)
        state = state + _drop(hidden @ block["ffn_down.weight"].T, keys, dropout)
    return norm(state, weights["output_norm.weight"], shape.norm_epsilon)


def logits(weights: Weights, outputs: Any) -> Any:
    """Return a number for each token of the vocabulary."""
    return outputs @ weights["token_embd.weight"].T


def norm(state: Any, weight: Any, epsilon: float) -> Any:
    """Return ``state`` with a mean square of 1, times ``weight``."""
    return state * jax.lax.rsqrt(jnp.mean(state * state, -1, keepdims=True) + epsilon) * weight


def _drop(value: Any, keys: Any, dropout: Any) -> Any:
    if not dropout:
        return value
    keep = jax.random.bernoulli(next(keys), 1 - dropout[1], value.shape)
    return jnp.where(keep, value / (1 - dropout[1]), 0.0)


def _turns(shape: Shape, positions: Any) -> tuple[Any, Any]:
    pairs = jnp.arange(0, shape.head_width, 2)
    angles = positions[..., None] * shape.rope_base ** (-pairs / shape.head_width)
    return jnp.cos(angles)[:, :, None], jnp.sin(angles)[:, :, None]


def _rotate(value: Any, turns: tuple[Any, Any]) -> Any:
    cosine, sine = turns
    even, odd = value[..., 0::2], value[..., 1::2]
    return jnp.stack([even * cosine - odd * sine, even * sine + odd * cosine], -1).reshape(value.shape)


def _attention(block: Weights, shape: Shape, state: Any, mask: Any, turns: tuple[Any, Any]) -> Any:
    batch, length, width = state.shape
    group = shape.heads // shape.key_value_heads

    def heads(name: str, count: int) -> Any:
        return (state @ block[name].T).reshape(batch, length, count, shape.head_width)

    query = _rotate(heads("attn_q.weight", shape.heads), turns)
    key = _rotate(heads("attn_k.weight", shape.key_value_heads), turns)
    value = heads("attn_v.weight", shape.key_value_heads)
    query = query.reshape(batch, length, shape.key_value_heads, group, shape.head_width)
    scores = jnp.einsum("bqkgd,bskd->bkgqs", query, key) * shape.head_width**-0.5 + mask
    mixed = jnp.einsum("bkgqs,bskd->bqkgd", jax.nn.softmax(scores, -1), value)
    return mixed.reshape(batch, length, width) @ block["attn_output.weight"].T
