"""Whether weights are repacked, and which models are refused, by numbers that a test gives."""

from pathlib import Path

import pytest

from assistant.inference.fit import cells_needed, memory_needed
from assistant.inference.gguf import Array, Header, Tensor
from assistant.inference.host import Memory
from assistant.inference.loading import DoesNotFitHost, check_locked, plan

GB = 1 << 30
CELLS = cells_needed(2048, 8)
# width, layers, heads, heads of keys and values, feed-forward, vocabulary
SHAPES = {"3b": (2048, 36, 16, 2, 11008, 151936), "7b": (3584, 28, 28, 4, 18944, 152064)}


def header(size: str) -> Header:
    """The header of a 4-bit model of Qwen2.5's shape."""
    width, layers, heads, kv_heads, inner, tokens = SHAPES[size]
    matrices = [(tokens, width)] * (2 if size == "7b" else 1)
    for _ in range(layers):
        key_value = width // heads * kv_heads
        matrices += [(width, width)] * 2 + [(key_value, width)] * 2 + [(inner, width)] * 3
    tensors = [
        Tensor(f"t{n}", (columns, rows), "Q4_0", 0, rows * columns // 32 * 18)
        for n, (rows, columns) in enumerate(matrices)
    ]
    metadata = {
        "qwen2.block_count": layers,
        "qwen2.embedding_length": width,
        "qwen2.attention.head_count": heads,
        "qwen2.attention.head_count_kv": kv_heads,
        "qwen2.feed_forward_length": inner,
        "tokenizer.ggml.tokens": Array(tokens),
    }
    return Header(3, "qwen2", metadata, tuple(tensors), sum(t.size for t in tensors))


def container(size: float) -> Memory:
    return Memory(int(size * GB), "the container's memory limit")


def choice(size: str, memory: float, repack: str = "auto", *, locked: bool = False) -> bool:
    return plan(header(size), cells=CELLS, repack=repack, memory=container(memory), locked=locked).repack


def test_weights_are_repacked_where_there_is_room_for_the_copies() -> None:
    assert choice("3b", 4)
    assert choice("7b", 8)


def test_a_file_that_is_locked_in_memory_needs_room_beside_the_copies() -> None:
    assert not choice("3b", 4, locked=True)
    assert choice("3b", 8, locked=True)
    assert not choice("7b", 8, locked=True)
    assert choice("7b", 16, locked=True)


def test_the_boundary_is_what_is_needed_and_5_percent() -> None:
    needed = memory_needed(header("3b"), cells=CELLS, repack=True, locked=True).total_bytes / GB
    assert not choice("3b", needed, locked=True)
    assert choice("3b", needed / 0.95 + 0.001, locked=True)


def test_the_reason_has_the_numbers() -> None:
    small = plan(header("3b"), cells=CELLS, repack="auto", memory=container(4), locked=True)
    copied = memory_needed(header("3b"), cells=CELLS, repack=True, locked=True)
    assert f"needs {-(-copied.total_bytes // 2**20)} MiB" in small.reason
    assert f"the container's memory limit of {4 * 1024} MiB" in small.reason
    assert small.need.repacked_bytes == 0
    assert plan(header("3b"), cells=CELLS, repack="auto", memory=container(16), locked=True).need == copied


def test_what_was_copied_is_not_read_in_the_file_again() -> None:
    plain, free, locked = (
        memory_needed(header("3b"), cells=CELLS, repack=repack, locked=locked)
        for repack, locked in ((False, False), (True, False), (True, True))
    )
    assert locked.weights_bytes == plain.weights_bytes
    assert free.weights_bytes + free.repacked_bytes == plain.weights_bytes
    assert free.repacked_bytes == locked.repacked_bytes > 0.8 * plain.weights_bytes


def test_a_setting_beats_the_memory() -> None:
    assert choice("3b", 4, "on")
    assert not choice("3b", 64, "off")
    assert "ASSISTANT_REPACK" in plan(header("3b"), cells=CELLS, repack="off", memory=container(64)).reason


@pytest.mark.parametrize("repack", ["auto", "on", "off"])
def test_a_model_that_does_not_fit_is_refused_with_numbers_and_remedies(repack: str) -> None:
    with pytest.raises(DoesNotFitHost) as caught:
        plan(header("7b"), cells=CELLS, repack=repack, memory=container(4))
    text = str(caught.value)
    for part in ("the container's memory limit of 4096 MiB", "weights ", "key-value cache"):
        assert part in text
    for name in ("assistant_memory_limit", "ASSISTANT_CONTEXT_TOKENS", "ASSISTANT_PARALLEL"):
        assert name in text
    assert "\n" not in text


def test_a_model_that_is_not_locked_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(bytes(1 << 20))
    check_locked(model, "VmPeak:\t9 kB\nVmLck:\t    1000 kB\n")
    with pytest.raises(ValueError, match=r"ASSISTANT_LOCK_MEMORY.*assistant_lock_memory.*memlock"):
        check_locked(model, "VmLck:\t     64 kB\n")
