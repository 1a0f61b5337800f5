"""The smallest GGUF files that say enough about themselves to be served, as far as their header goes."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np


def write_model(path: Path, architecture: str = "llama", *, token_types: int = 0, **changed: Any) -> None:
    """Write a model of two blocks; ``changed`` are metadata numbers by name, without the architecture.

    ``token_types`` is how many tokens have a type, of 32.
    """
    writer = gguf.GGUFWriter(path, architecture)
    numbers = {
        "block_count": 2,
        "embedding_length": 64,
        "context_length": 512,
        "feed_forward_length": 128,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        **changed,
    }
    for key, number in numbers.items():
        add = writer.add_float32 if isinstance(number, float) else writer.add_uint32
        add(f"{architecture}.{key}", number)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"word{number}" for number in range(32)])
    if token_types:
        writer.add_token_types([1] * token_types)
    writer.add_tensor("token_embd.weight", np.zeros((32, 64), dtype=np.float16))
    writer.add_tensor("output.weight", np.zeros((32, 64), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
