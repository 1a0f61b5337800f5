"""Read and judge the header of a GGUF model file, before anything loads it.

llama.cpp ends the whole process on some broken files, so a file is read here first. Nothing is allocated by
what it claims: every count and length is compared with the bytes that are left. The role ``model`` runs this
file on its hosts too (roles/model/module_utils): hence the standard library, Python 3.10, relative imports.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; where that leaves something open, what
llama.cpp does, as llama-cpp-python 0.3.36 carries it (ggml/src/gguf.cpp, src/llama-model.cpp).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

from .gguf_reader import GgufError, Reader
from .gguf_tables import (
    ARCHITECTURES,
    ARRAY,
    FILE_TYPES,
    FINITE,
    MAX_BLOCKS,
    MAX_EXPERTS,
    MAX_NAME_BYTES,
    ROPE_SCALINGS,
    SCALARS,
    STRING,
    TENSOR_TYPES,
    UNSERVED,
)

MAGIC = b"GGUF"
VERSIONS = (2, 3)
# Far above real files: a large model has 3,000 tensors.
MAX_ENTRIES = 65536
MAX_ALIGNMENT = 1 << 16
KEPT_ARRAY = 1024
TOKENS = "tokenizer.ggml.tokens"


@dataclass(frozen=True)
class Array:
    """An array in the metadata; ``values`` is empty where it has more than 1,024 members or holds texts."""

    length: int
    values: tuple[int | float, ...] = ()


Value = int | float | str | Array


@dataclass(frozen=True)
class Tensor:
    """A tensor: ``offset`` is its first byte in the file, ``size`` is in bytes."""

    name: str
    dims: tuple[int, ...]
    type: str
    offset: int
    size: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.dims)


@dataclass(frozen=True)
class Header:
    """All that a model file says before its weights; made by ``read_header`` only, which checked it."""

    version: int
    architecture: str
    metadata: dict[str, Value]
    tensors: tuple[Tensor, ...]
    file_size: int

    def number(self, key: str, default: int | None = None) -> int:
        """Return the architecture's own metadata number ``key``, such as ``block_count``.

        An array with a number for each block counts as its largest.

        Raises:
            GgufError: it is missing and there is no default, or it is no whole number that is 0 or more.
        """
        value = self.metadata.get(f"{self.architecture}.{key}", default)
        if isinstance(value, Array) and value.values:
            value = max(value.values)
        if not isinstance(value, int) or value < 0:
            found = "is missing" if value is None else f"is {value!r}, not a whole number"
            raise GgufError(f"the key {self.architecture}.{key} {found}")
        return value

    @property
    def blocks(self) -> int:
        """Number of layers."""
        return self.number("block_count")

    @property
    def embedding(self) -> int:
        """Width of a token's vector."""
        return self.number("embedding_length")

    @property
    def feed_forward(self) -> int:
        """Inner width of a block's second half, the widest block's; 0 where it is not said."""
        return max(self.number("feed_forward_length", 0), self.number("expert_feed_forward_length", 0))

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return self.number("attention.head_count")

    @property
    def kv_heads(self) -> int:
        """Number of heads with keys and values of their own, in the block that has most."""
        return self.number("attention.head_count_kv", self.heads)

    @property
    def key_length(self) -> int:
        """Numbers in one head's key."""
        return self.number("attention.key_length", self.embedding // max(1, self.heads))

    @property
    def value_length(self) -> int:
        """Numbers in one head's value."""
        return self.number("attention.value_length", self.embedding // max(1, self.heads))

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        tokens = self.metadata.get(TOKENS)
        return tokens.length if isinstance(tokens, Array) else self.number("vocab_size", 0)

    @property
    def trained_context(self) -> int:
        """Longest text the model was trained for, in tokens."""
        return self.number("context_length")

    @property
    def parameters(self) -> int:
        """How many weights there are."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def weights_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def quantization(self) -> str:
        """Name as in ``Q4_K_M``: what the file says, or the type that most bytes are of."""
        said = self.metadata.get("general.file_type")
        if isinstance(said, int) and said in FILE_TYPES:
            return FILE_TYPES[said]
        sizes: dict[str, int] = {}
        for tensor in self.tensors:
            sizes[tensor.type] = sizes.get(tensor.type, 0) + tensor.size
        return max(sizes, key=lambda name: sizes[name])


def read_header(path: Path | str) -> Header:
    """Read and check the header of a model file.

    Raises:
        GgufError: it cannot be read, is no GGUF file, is cut off or damaged, or cannot be served.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            return _read(Reader(file, size))
    except OSError as error:
        raise GgufError(f"it cannot be read: {error.strerror}") from None


def _read(reader: Reader) -> Header:
    magic = reader.take(4, "the word GGUF") if reader.size >= 4 else b""
    if magic != MAGIC:
        raise GgufError(f"it is not a GGUF file: it begins with {magic!r}, not with b'GGUF'")
    version = reader.whole("I", "the version")
    if version and version & 0xFFFF == 0:
        raise GgufError(f"it is written for big-endian machines (version {version:#x} at byte 4)")
    if version not in VERSIONS:
        raise GgufError(f"its GGUF version at byte 4 is {version}; versions 2 and 3 can be read")
    # A tensor takes at least 32 bytes (name of one letter, one dimension), an entry at least 14.
    tensors = _count(reader, "tensors", 32)
    entries = _count(reader, "metadata entries", 14)
    metadata: dict[str, Value] = {}
    for _ in range(entries):
        start, key = reader.at, reader.text("a metadata key", 65535)
        if not key or key in metadata:
            raise GgufError(
                f"the metadata key {key!r} at byte {start} is {'there twice' if key else 'empty'}"
            )
        metadata[key] = _value(reader, f"the value of {key!r}")
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 0 < alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
        raise GgufError(
            f"the key general.alignment is {alignment!r}, not a power of two up to {MAX_ALIGNMENT}"
        )
    found = _tensors(reader, tensors, alignment)
    header = Header(version, _architecture(metadata), metadata, found, reader.size)
    _judge(header)
    return header


def _count(reader: Reader, what: str, least: int) -> int:
    start, count = reader.at, reader.whole("Q", f"the number of {what}")
    if not count:
        raise GgufError(f"it has no {what} (byte {start}), so it is no whole model")
    if count > MAX_ENTRIES or count * least > reader.size - reader.at:
        raise GgufError(f"it claims {count} {what} (byte {start}), too many for {reader.size} bytes")
    return count


def _value(reader: Reader, what: str) -> Value:
    start, kind = reader.at, reader.whole("I", f"the type of {what}")
    if kind == STRING:
        return reader.text(what)
    if kind in SCALARS:
        return reader.scalar(SCALARS[kind], what)
    if kind != ARRAY:
        raise GgufError(f"{what} at byte {start} has the unknown type {kind}")
    start, kind = reader.at, reader.whole("I", f"the members' type of {what}")
    length = reader.whole("Q", f"the length of {what}")
    if kind == STRING:
        reader.need(length * 8, what)
        # llama.cpp ends the process (llama-vocab.cpp, GGML_ASSERT) where two tokens are the same.
        reader.skip_texts(length, what, distinct=TOKENS in what)
        return Array(length)
    if kind not in SCALARS:
        raise GgufError(f"{what} at byte {start} has members of the unknown type {kind}")
    size = length * struct.calcsize("<" + SCALARS[kind])
    if length > KEPT_ARRAY:
        reader.skip(size, what)
        return Array(length)
    return Array(length, struct.unpack(f"<{length}{SCALARS[kind]}", reader.take(size, what)))


def _tensors(reader: Reader, count: int, alignment: int) -> tuple[Tensor, ...]:
    raw: list[tuple[str, tuple[int, ...], int, int, int]] = []
    names: set[str] = set()
    for _ in range(count):
        start, name = reader.at, reader.text("a tensor's name", MAX_NAME_BYTES)
        if not name or name in names:
            raise GgufError(
                f"the tensor name {name!r} at byte {start} is {'there twice' if name else 'empty'}"
            )
        names.add(name)
        what = f"the tensor {name!r}"
        dimensions = reader.whole("I", f"the dimensions of {what}")
        if not 1 <= dimensions <= 4:
            raise GgufError(f"{what} at byte {start} has {dimensions} dimensions; 1 to 4 are possible")
        dims = tuple(reader.whole("Q", f"the dimensions of {what}") for _ in range(dimensions))
        kind, offset = reader.whole("I", f"the type of {what}"), reader.whole("Q", f"the offset of {what}")
        if kind not in TENSOR_TYPES:
            raise GgufError(f"{what} at byte {start} has the unknown type {kind}")
        if min(dims) < 1 or max(dims) >= 1 << 40 or dims[0] % TENSOR_TYPES[kind][1]:
            raise GgufError(
                f"{what} at byte {start} has the shape {dims}, impossible for {TENSOR_TYPES[kind][0]}"
            )
        raw.append((name, dims, kind, offset, start))
    data = end = padded = -(-reader.at // alignment) * alignment
    found = []
    for name, dims, kind, offset, start in raw:
        if data + offset != padded:
            raise GgufError(
                f"the tensor {name!r} (described at byte {start}) is said to be at byte {data + offset}, "
                f"and the one before it ends at byte {padded}"
            )
        label, block, bytes_a_block = TENSOR_TYPES[kind]
        end = padded + math.prod(dims) // block * bytes_a_block
        found.append(Tensor(name, dims, label, padded, end - padded))
        padded += -(-(end - padded) // alignment) * alignment
    if end > reader.size:
        raise GgufError(f"the file is cut off: it has {reader.size} of {end} bytes; fetch or copy it again")
    return tuple(found)


def _architecture(metadata: dict[str, Value]) -> str:
    """Return the name of an architecture that can be served."""
    name = metadata.get("general.architecture")
    if not isinstance(name, str):
        raise GgufError("the key general.architecture is missing or no text")
    for reason, names in UNSERVED.items():
        if name in names:
            raise GgufError(f"the architecture {name!r} (key general.architecture) {reason}")
    if name not in ARCHITECTURES:
        raise GgufError(
            f"the architecture {name!r} (key general.architecture) is unknown to llama-cpp-python 0.3.36"
        )
    return name


def _judge(header: Header) -> None:
    """Refuse numbers that contradict each other, first of all those on which llama.cpp would abort."""
    limits = {
        "block_count": (1, MAX_BLOCKS),
        "embedding_length": (1, 1 << 20),
        "attention.head_count": (1, 1 << 16),
        "attention.head_count_kv": (1, header.heads),
        "context_length": (1, 1 << 31),
        "expert_count": (0, MAX_EXPERTS),
        "expert_used_count": (0, header.number("expert_count", 0)),
    }
    defaults = {"attention.head_count_kv": header.heads, "expert_count": 0, "expert_used_count": 0}
    for key, (least, most) in limits.items():
        if not least <= (number := header.number(key, defaults.get(key))) <= most:
            raise GgufError(f"the key {header.architecture}.{key} is {number}, not from {least} to {most}")
    if header.number("expert_count", 0) and not header.number("expert_used_count", 0):
        raise GgufError(f"the key {header.architecture}.expert_used_count is 0, and there are experts")
    scaling = header.metadata.get(f"{header.architecture}.rope.scaling.type", "none")
    if scaling not in ROPE_SCALINGS:
        raise GgufError(
            f"the key {header.architecture}.rope.scaling.type is {scaling!r}, not one of {ROPE_SCALINGS}"
        )
    pieces = header.metadata.get("split.count", 1)
    if pieces not in (0, 1):
        raise GgufError(
            f"it is one of {pieces!r} pieces (key split.count); join them: llama-gguf-split --merge"
        )
    words = next((tensor for tensor in header.tensors if tensor.name == "token_embd.weight"), None)
    tokens = header.metadata.get(TOKENS)
    if words is None or not isinstance(tokens, Array):
        raise GgufError(
            "it has no vocabulary: the tensor token_embd.weight or the key tokenizer.ggml.tokens is missing"
        )
    if words.dims != (header.embedding, tokens.length):
        raise GgufError(
            f"the tensor token_embd.weight has the shape {words.dims}, and the metadata says "
            f"{(header.embedding, tokens.length)}: embedding_length and the length of tokenizer.ggml.tokens"
        )
    for name in ("token_type", "scores"):
        each = header.metadata.get(f"tokenizer.ggml.{name}")
        if each is not None and (not isinstance(each, Array) or each.length != tokens.length):
            raise GgufError(
                f"the key tokenizer.ggml.{name} has not one value for each of the {tokens.length} tokens"
            )
    for name in FINITE:
        value = header.metadata.get(f"{header.architecture}.{name}", 1.0)
        if isinstance(value, (str, Array)) or not 0 <= value < math.inf:
            raise GgufError(f"the key {header.architecture}.{name} is {value!r}, not a number from 0 on")
