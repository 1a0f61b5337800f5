"""A model file again, with other metadata entries or other tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType

ARCHITECTURE = "general.architecture"
# What the reader itself adds: the format's version and the counts.
_NOT_METADATA = "GGUF."


@dataclass(frozen=True)
class Entry:
    """A metadata value with its types, as ``GGUFWriter.add_key_value`` takes them."""

    value: Any
    type: gguf.GGUFValueType
    members: gguf.GGUFValueType | None = None


@dataclass(frozen=True)
class Weights:
    """A tensor as it stands in the file."""

    name: str
    data: np.ndarray[Any, Any]
    type: GGMLQuantizationType


def entries(reader: gguf.GGUFReader) -> dict[str, Entry]:
    """Return the metadata that ``reader`` found, by key, in the file's order."""
    return {key: _entry(field) for key, field in reader.fields.items() if not key.startswith(_NOT_METADATA)}


def weights(reader: gguf.GGUFReader) -> list[Weights]:
    """Return the tensors that ``reader`` found, in the file's order."""
    return [Weights(one.name, one.data, one.tensor_type) for one in reader.tensors]


def write(path: Path, metadata: Mapping[str, Entry], tensors: Iterable[Weights]) -> None:
    """Write a model file of ``metadata`` and ``tensors`` to ``path``."""
    architecture = metadata.get(ARCHITECTURE)
    writer = gguf.GGUFWriter(path, "none")
    writer.kv_data[0].clear()
    if architecture is not None:
        writer.kv_data[0][ARCHITECTURE] = gguf.GGUFValue(architecture.value, architecture.type)
    for key, entry in metadata.items():
        if key != ARCHITECTURE:
            writer.add_key_value(key, entry.value, entry.type, entry.members)
    for one in tensors:
        writer.add_tensor(one.name, one.data, raw_dtype=one.type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _entry(field: gguf.ReaderField) -> Entry:
    members = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
    return Entry(field.contents(), field.types[0], members)
