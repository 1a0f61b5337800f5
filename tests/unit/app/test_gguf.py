"""The reader of model files refuses what is broken, with one line, and trusts nothing that a file claims."""

import math
import random
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.inference.fit import cells_needed, explain, fits, inspect, main, memory_needed
from assistant.inference.gguf import read_header
from assistant.inference.gguf_reader import GgufError
from assistant.inference.gguf_tables import ARCHITECTURES, UNSERVED
from tests.unit.app.model_files import write_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    write_model(path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(GgufError) as caught:
        read_header(path)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_it_says_what_a_model_is(model: Path) -> None:
    header = read_header(model)
    assert (header.version, header.architecture, header.blocks, header.embedding) == (3, "llama", 2, 64)
    assert (header.heads, header.kv_heads, header.key_length, header.value_length) == (4, 2, 16, 16)
    assert (header.vocabulary, header.trained_context, header.parameters) == (32, 512, 2 * 32 * 64)
    assert header.quantization == "F32"
    assert [(t.name, t.dims, t.type, t.size) for t in header.tensors] == [
        ("token_embd.weight", (64, 32), "F16", 4096),
        ("output.weight", (64, 32), "F32", 8192),
    ]
    assert header.tensors[-1].offset + header.tensors[-1].size <= header.file_size


def test_cut_off_at_every_fiftieth(model: Path) -> None:
    whole = model.read_bytes()
    for piece in range(50):
        model.write_bytes(whole[: len(whole) * piece // 50])
        text = refusal(model)
        assert "cut off" in text or "not a GGUF file" in text or "too many" in text, text


def test_a_thousand_flipped_bytes_in_the_header(model: Path) -> None:
    whole = model.read_bytes()
    end = read_header(model).tensors[0].offset
    chance = random.Random(7)
    refused = 0
    tracemalloc.start()
    for _ in range(1000):
        broken = bytearray(whole)
        broken[chance.randrange(end)] ^= 1 << chance.randrange(8)
        model.write_bytes(broken)
        try:
            read_header(model)
        except GgufError as error:
            refused += 1
            assert "\n" not in str(error)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 100 < refused < 1000, "a flip in a word's text changes no structure; most others do"
    assert peak < 16 << 20, "memory is not taken by what a file claims"


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda b: b.__setitem__(slice(0, 4), b"PK\x03\x04"), "not a GGUF file"),
        (lambda b: b.__setitem__(slice(4, 8), struct.pack(">I", 3)), "big-endian"),
        (lambda b: b.__setitem__(slice(4, 8), struct.pack("<I", 1)), "version at byte 4 is 1"),
        (
            lambda b: b.__setitem__(slice(8, 16), struct.pack("<Q", 1 << 60)),
            "claims 1152921504606846976 tensors",
        ),
        (lambda b: b.__setitem__(slice(8, 16), bytes(8)), "no tensors"),
        (lambda b: b.__setitem__(slice(16, 24), struct.pack("<Q", 1 << 40)), "metadata entries"),
        (lambda b: b.__setitem__(slice(24, 32), struct.pack("<Q", 1 << 62)), "claims a length"),
    ],
)
def test_a_broken_beginning(model: Path, spoil: Callable[[bytearray], None], word: str) -> None:
    data = bytearray(model.read_bytes())
    spoil(data)
    model.write_bytes(data)
    assert word in refusal(model)


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"block_count": 0}, "llama.block_count is 0"),
        ({"block_count": 513}, "llama.block_count is 513"),
        ({"attention.head_count": 0}, "llama.attention.head_count"),
        ({"attention.head_count_kv": 5}, "llama.attention.head_count_kv is 5"),
        ({"expert_used_count": 2}, "llama.expert_used_count is 2"),
        ({"expert_count": 4, "expert_used_count": 0}, "llama.expert_used_count is 0"),
        ({"embedding_length": 128}, "token_embd.weight has the shape"),
    ],
)
def test_numbers_on_which_llama_cpp_would_abort(tmp_path: Path, changed: dict[str, int], key: str) -> None:
    write_model(tmp_path / "m.gguf", **changed)
    assert key in refusal(tmp_path / "m.gguf")


def test_a_word_that_is_there_twice(model: Path) -> None:
    """llama.cpp ends the process on it."""
    model.write_bytes(model.read_bytes().replace(b"word31", b"word30"))
    assert "two members of the value of 'tokenizer.ggml.tokens' are the same" in refusal(model)


@pytest.mark.parametrize("number", [-1.0, math.nan, math.inf])
@pytest.mark.parametrize("key", ["attention.layer_norm_rms_epsilon", "rope.freq_base"])
def test_a_number_on_which_ggml_aborts(tmp_path: Path, key: str, number: float) -> None:
    write_model(tmp_path / "m.gguf", **{key: number})
    assert f"llama.{key} is {number}" in refusal(tmp_path / "m.gguf")


def test_not_one_type_for_each_word(tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf", token_types=31)
    text = refusal(tmp_path / "m.gguf")
    assert "tokenizer.ggml.token_type has not one value for each of the 32 tokens" in text


@pytest.mark.parametrize(
    ("name", "word"), [("bert", "left to right"), ("mamba", "recurrent"), ("new", "unknown")]
)
def test_architectures_that_cannot_be_served(tmp_path: Path, name: str, word: str) -> None:
    write_model(tmp_path / "m.gguf", name)
    assert word in refusal(tmp_path / "m.gguf")


def test_each_architecture_is_served_or_not() -> None:
    assert {"llama", "qwen2", "qwen3", "glm4", "chatglm", "gemma3"} <= ARCHITECTURES
    assert not ARCHITECTURES & {name for names in UNSERVED.values() for name in names}


def test_a_name_that_is_there_twice(model: Path) -> None:
    data = model.read_bytes()
    model.write_bytes(
        data.replace(b"llama.block_count", b"llama.block_kount").replace(b"head_count_kv", b"head_count_kv")
    )
    assert "llama.block_count is missing" in refusal(model)
    model.write_bytes(data.replace(b"llama.context_length", b"llama.embedding_leng"[:20]))
    assert "context_length is missing" in refusal(model)


def test_no_such_file(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "no.gguf")
    assert "Is a directory" in refusal(tmp_path)


def test_memory_follows_the_cells(model: Path) -> None:
    header = read_header(model)
    one = memory_needed(header, cells=256, repack=False)
    two = memory_needed(header, cells=512, repack=False)
    assert one.weights_bytes == 4096 + 8192
    # 16-bit keys and values: cells x blocks x heads with their own x (key + value) x 2 bytes.
    assert one.kv_bytes == 256 * 2 * 2 * (16 + 16) * 2
    assert two.kv_bytes == 2 * one.kv_bytes
    assert one.total_bytes == sum(
        (one.weights_bytes, one.repacked_bytes, one.kv_bytes, one.compute_bytes, one.process_bytes)
    )
    assert memory_needed(header, cells=255, repack=False) == one, "cells come in 256s"
    assert cells_needed(2048, 1) == cells_needed(2048, 2) < cells_needed(2048, 3)


def test_what_does_not_fit_is_said_with_numbers(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need = memory_needed(read_header(model), cells=256, repack=False)
    assert fits(need, need.total_bytes * 2)
    assert not fits(need, need.total_bytes)
    assert "does not fit into" in explain(need, 256, need.total_bytes)
    known = inspect(str(model), context_tokens=256, conversations=1, memory_bytes=1 << 20)
    assert (known["error"], known["fits"]) == ("", False)
    assert main([str(model), "--memory-bytes", "1000000"]) == 1
    assert "does not fit into 1 MiB" in capsys.readouterr().out
    assert main([str(model)]) == 0
    model.write_bytes(b"GGUF")
    assert main([str(model)]) == 1
    assert "cut off" in capsys.readouterr().err
