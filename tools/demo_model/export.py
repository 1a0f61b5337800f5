"""Writing a trained model as a GGUF file of 16 bits.

Keys and tensor names: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import os
from pathlib import Path

import gguf
import numpy as np

from tools.demo_model.network import Shape, Weights
from tools.demo_model.tokenizer import CHAT_TEMPLATE, Words
from tools.tiny_model.metadata import add_sizes, add_tokenizer


def write_f16(path: Path, name: str, shape: Shape, weights: Weights, words: Words, description: str) -> None:
    """Write the model with 16-bit matrices; the file is whole or absent.

    Args:
        path: the file; its folder is made.
        name: the model's name.
        shape: its sizes.
        weights: see ``network.new_weights``.
        words: its tokenizer.
        description: a sentence for the file's metadata.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    writer = gguf.GGUFWriter(partial, "llama")
    try:
        writer.add_name(name)
        writer.add_description(description)
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
        add_sizes(writer, shape, shape.vocabulary)
        add_tokenizer(writer, words.tokens, words.merges, CHAT_TEMPLATE, words.controls)
        for tensor, values in weights.items():
            array = np.asarray(values, dtype=np.float32)
            writer.add_tensor(tensor, array.astype(np.float16) if array.ndim > 1 else array)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
