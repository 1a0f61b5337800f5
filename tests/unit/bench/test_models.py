"""The synthetic models: real shapes, a full vocabulary, weights that leave a signal intact."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

from tests.bench import models
from tests.bench.random_blocks import random_blocks
from tools.tiny_model.weights import Shape


@pytest.mark.parametrize("kind", [Type.Q4_0, Type.Q8_0, Type.Q4_K, Type.Q6_K])
def test_random_blocks_have_the_deviation_that_was_asked_for(kind: Type) -> None:
    blocks = random_blocks(np.random.default_rng(1), kind, 4000, 0.02)
    values = gguf.quants.dequantize(blocks, kind)
    assert np.isfinite(values).all()
    assert abs(values.mean()) < 0.002
    assert 0.017 < values.std() < 0.023


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A shape that is written in no time, under the name of a real one."""
    monkeypatch.setenv("AI_ASSISTANT_CACHE", str(tmp_path))
    monkeypatch.setitem(models.SHAPES, "7b", Shape(512, 1, 4, 2, 288, 1024, 1e-6, 1000000.0))
    monkeypatch.setitem(models.VOCABULARY, "7b", 4000)


@pytest.mark.usefixtures("small")
def test_a_model_is_written_with_its_vocabulary_and_types() -> None:
    path = models.ensure_model("7b", "q4_k")
    reader = gguf.GGUFReader(path)
    kinds = {tensor.name: (tensor.tensor_type, list(tensor.shape)) for tensor in reader.tensors}
    assert kinds["token_embd.weight"] == (Type.Q4_K, [512, 4000])
    assert kinds["output.weight"] == (Type.Q6_K, [512, 4000])
    assert kinds["blk.0.attn_k.weight"] == (Type.Q4_K, [512, 256])
    assert kinds["blk.0.attn_q.bias"] == (Type.F32, [512])
    # 288 is no multiple of 256
    assert kinds["blk.0.ffn_down.weight"] == (Type.Q4_0, [288, 512])
    field = reader.get_field("tokenizer.ggml.tokens")
    assert field is not None
    tokens = field.contents()
    assert len(set(tokens)) == 4000
    before = path.stat().st_ino
    assert models.ensure_model("7b", "q4_k").stat().st_ino == before, "the second time it is cached"
    assert [file.name for file in path.parent.iterdir()] == [path.name], "no half-written file is left"


def test_real_shapes_have_real_sizes() -> None:
    # https://huggingface.co/Qwen/Qwen2.5-3B: 3.09 billion parameters; the others are named after theirs.
    expected = {"0.5b": 0.49e9, "1.5b": 1.54e9, "3b": 3.09e9, "7b": 7.62e9}
    for size, parameters in expected.items():
        plan = models._tensors(size, Type.Q4_0)
        counted = sum(max(1, rows) * columns for _, rows, columns, _ in plan)
        assert abs(counted / parameters - 1) < 0.02, size
