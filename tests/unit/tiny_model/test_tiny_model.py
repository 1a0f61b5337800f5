"""The tiny model is deterministic, small and a valid GGUF file."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from tools.tiny_model.bpe import byte_alphabet, token_bytes, train
from tools.tiny_model.make_tiny_model import main
from tools.tiny_model.metadata import CHAT_TEMPLATE


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    assert main([str(path), "--seed", "7"]) == 0
    return path


@pytest.fixture(scope="module")
def reader(model: Path) -> gguf.GGUFReader:
    return gguf.GGUFReader(model)


def value(reader: gguf.GGUFReader, key: str) -> object:
    field = reader.get_field(key)
    assert field is not None, key
    return field.contents()


def test_same_seed_same_bytes(model: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.gguf", tmp_path / "other.gguf"
    assert (main([str(again), "--seed", "7"]), main([str(other), "--seed", "8"])) == (0, 0)
    assert again.read_bytes() == model.read_bytes()
    assert other.read_bytes() != model.read_bytes()


def test_is_small(model: Path) -> None:
    assert model.stat().st_size < 3_000_000
    assert list(model.parent.iterdir()) == [model], "no half-written file is left"


def test_metadata(reader: gguf.GGUFReader) -> None:
    assert value(reader, "general.architecture") == "llama"
    assert value(reader, "general.file_type") == gguf.LlamaFileType.MOSTLY_Q4_0
    assert value(reader, "llama.context_length") == 4096
    assert value(reader, "tokenizer.ggml.model") == "gpt2"
    assert value(reader, "tokenizer.chat_template") == CHAT_TEMPLATE


def test_matrices_are_q4_0_and_norms_f32(reader: gguf.GGUFReader) -> None:
    kinds = {tensor.name: tensor.tensor_type for tensor in reader.tensors}
    norms = {name for name in kinds if name.endswith("norm.weight")}
    assert {kinds[name] for name in norms} == {gguf.GGMLQuantizationType.F32}
    assert {kinds[name] for name in kinds if name not in norms} == {gguf.GGMLQuantizationType.Q4_0}
    assert {"token_embd.weight", "output.weight", "output_norm.weight", "blk.0.attn_q.weight"} <= set(kinds)


def test_vocabulary(reader: gguf.GGUFReader) -> None:
    tokens = value(reader, "tokenizer.ggml.tokens")
    merges = value(reader, "tokenizer.ggml.merges")
    types = value(reader, "tokenizer.ggml.token_type")
    eos = value(reader, "tokenizer.ggml.eos_token_id")
    assert isinstance(tokens, list) and isinstance(merges, list) and isinstance(types, list)
    assert len(tokens) == len(set(tokens)) == len(types) == 1536
    assert tokens[:256] == byte_alphabet()
    assert all("".join(merge.split(" ")) in tokens for merge in merges)
    assert isinstance(eos, int) and tokens[eos] == "<|im_end|>"
    assert [tokens[number] for number, kind in enumerate(types) if kind == gguf.TokenType.CONTROL] == [
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
    ]
    words = {token_bytes(token) for token in tokens[:-3]}
    assert b" question" in words and "你好".encode() in words


def test_broken_bytes_are_ruled_out(reader: gguf.GGUFReader) -> None:
    tokens = value(reader, "tokenizer.ggml.tokens")
    assert isinstance(tokens, list)
    (output,) = [tensor for tensor in reader.tensors if tensor.name == "output.weight"]
    bias = gguf.quants.dequantize(output.data, output.tensor_type)[:, 0]
    for number, token in enumerate(tokens[:-3]):
        try:
            token_bytes(token).decode()
        except UnicodeDecodeError:
            assert bias[number] < -10, token
    assert np.count_nonzero(bias > -2) > 768, "most tokens can still be said"


def test_unwritable_path_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file" / "out.gguf")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_merges_are_learned_by_frequency() -> None:
    assert train("ab ab ab cd", 2) == [("a", "b"), ("\u0120", "ab")]


def test_too_short_text_is_refused() -> None:
    with pytest.raises(ValueError, match="only 1 merges"):
        train("ab", 5)
