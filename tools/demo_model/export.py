"""Writing a trained model as a GGUF file of 16 bits.

Keys and tensor names: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import os
from pathlib import Path

import gguf
import numpy as np

from tools.demo_model.network import Shape, Weights
from tools.demo_model.tokenizer import CHAT_TEMPLATE, END_OF_TEXT, IM_END, SPECIAL_TOKENS, Words


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
        _add_shape(writer, shape)
        _add_words(writer, words)
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


def _add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_value_heads)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)


def _add_words(writer: gguf.GGUFWriter, words: Words) -> None:
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(list(words.tokens))
    writer.add_token_types([control if token in SPECIAL_TOKENS else normal for token in words.tokens])
    writer.add_token_merges(list(words.merges))
    writer.add_bos_token_id(words.tokens.index(END_OF_TEXT))
    writer.add_eos_token_id(words.tokens.index(IM_END))
    writer.add_pad_token_id(words.tokens.index(END_OF_TEXT))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
