"""The part of a GGUF file before its tensors: sizes, tokenizer and chat template.

Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import gguf

from tools.tiny_model.bpe import Pair, byte_alphabet
from tools.tiny_model.weights import Shape

IM_START, IM_END, END_OF_TEXT = SPECIAL_TOKENS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content']"
    " + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def vocabulary(merges: list[Pair]) -> list[str]:
    """Return all tokens: the bytes, what the merges make of them, and ChatML's special ones."""
    return [*byte_alphabet(), *(left + right for left, right in merges), *SPECIAL_TOKENS]


def add_model(
    writer: gguf.GGUFWriter, shape: Shape, tokens: int, *, name: str, seed: int, file_type: gguf.LlamaFileType
) -> None:
    """Write the model's name and sizes; ``tokens`` is the size of its vocabulary."""
    writer.add_name(name)
    writer.add_description(f"Random weights (seed {seed}) for testing; answers have no meaning.")
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_sizes(writer, shape, tokens)


def add_sizes(writer: gguf.GGUFWriter, shape: Shape, tokens: int) -> None:
    """Write the sizes of a llama-architecture model with a vocabulary of ``tokens``."""
    writer.add_vocab_size(tokens)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_value_heads)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)


def add_tokenizer(
    writer: gguf.GGUFWriter,
    tokens: Sequence[str],
    merges: Sequence[Pair],
    template: str = CHAT_TEMPLATE,
    controls: Collection[str] = SPECIAL_TOKENS,
) -> None:
    """Write a byte-level BPE tokenizer with ``controls``, ChatML's among them, and a chat template."""
    types = [gguf.TokenType.CONTROL if token in controls else gguf.TokenType.NORMAL for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(list(tokens))
    writer.add_token_types(types)
    writer.add_token_merges([f"{left} {right}" for left, right in merges])
    writer.add_bos_token_id(tokens.index(END_OF_TEXT))
    writer.add_eos_token_id(tokens.index(IM_END))
    writer.add_pad_token_id(tokens.index(END_OF_TEXT))
    writer.add_add_bos_token(False)
    writer.add_chat_template(template)
