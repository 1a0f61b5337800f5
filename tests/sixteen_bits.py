"""A small 16-bit model file, to be quantized."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tools.tiny_model.bpe import train
from tools.tiny_model.make_tiny_model import CORPUS, MERGES, token_roles
from tools.tiny_model.metadata import add_model, add_tokenizer, vocabulary
from tools.tiny_model.weights import Shape, make_tensors


def write_f16(path: Path, shape: Shape) -> None:
    """Write a model of 16-bit weights; the tokenizer and the template are the tiny model's."""
    merges = train(CORPUS.read_text(encoding="utf-8"), MERGES)
    tokens = vocabulary(merges)
    writer = gguf.GGUFWriter(path, "llama")
    kind = gguf.LlamaFileType.MOSTLY_F16
    add_model(writer, shape, len(tokens), name="sixteen-bits", seed=3, file_type=kind)
    add_tokenizer(writer, tokens, merges)
    for name, tensor in make_tensors(shape, token_roles(tokens), 3).items():
        writer.add_tensor(name, tensor if tensor.ndim == 1 else tensor.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
