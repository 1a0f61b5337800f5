"""Random quantised weights, made as blocks: quantising random numbers would take minutes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES
from gguf import GGMLQuantizationType as Type

Blocks = npt.NDArray[np.uint8]

# Where a block has its 16-bit scales, and the standard deviation of what random bits give with a scale of 1
# (ggml/src/ggml-common.h, block_q4_0, block_q8_0, block_q4_K and block_q6_K).
_Q4_K_MINIMUM = 7.5  # times the scale: makes the mean 0, as q runs from 0 to 15
_SCALE_AT = {Type.Q4_0: 0, Type.Q8_0: 0, Type.Q4_K: 0, Type.Q6_K: 208}
_DEVIATION = {Type.Q4_0: 4.6, Type.Q8_0: 74.0, Type.Q4_K: 258.0, Type.Q6_K: 1370.0}


def random_blocks(source: np.random.Generator, kind: Type, count: int, deviation: float) -> Blocks:
    """Return ``count`` blocks of weights with mean 0 and about the given standard deviation.

    Raises:
        KeyError: blocks of this kind are not known here.
    """
    size, at = GGML_QUANT_SIZES[kind][1], _SCALE_AT[kind]
    blocks = np.frombuffer(bytearray(source.bytes(count * size)), dtype=np.uint8).reshape(count, size)
    # Either sign: the integers of Q4_0 run from -8 to 7, which alone would not be centred.
    scale = np.float16(deviation / _DEVIATION[kind])
    scales = np.where(source.integers(0, 2, count, dtype=np.uint8), scale, -scale).astype("<f2")
    blocks[:, at : at + 2] = scales[:, None].view(np.uint8)
    if kind is Type.Q4_K:
        minimum = (scales * np.float16(_Q4_K_MINIMUM)).astype("<f2")
        blocks[:, at + 2 : at + 4] = minimum[:, None].view(np.uint8)
    return blocks
