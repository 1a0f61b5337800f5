"""A model file again, with one metadata entry or one tensor left out or changed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf

_NOT_METADATA = "GGUF."


@dataclass(frozen=True)
class Entry:
    """A metadata value with its types, as ``GGUFWriter.add_key_value`` takes them."""

    value: Any
    type: gguf.GGUFValueType
    members: gguf.GGUFValueType | None = None


def changed_entries(model: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give what was changed and the whole file, for every entry and every tensor of ``model``."""
    reader = gguf.GGUFReader(model)
    entries = {
        key: _entry(field) for key, field in reader.fields.items() if not key.startswith(_NOT_METADATA)
    }
    path = folder / "changed.gguf"
    for key, entry in entries.items():
        for what, other in _others(entry):
            fields = {name: e for name, e in entries.items() if name != key}
            _write(path, reader, fields if other is None else {**fields, key: other})
            yield f"{key} {what}", path.read_bytes()
    for tensor in reader.tensors:
        for what in ("removed", "half of its rows", "as bytes"):
            _write(path, reader, entries, tensor.name, what)
            yield f"{tensor.name} {what}", path.read_bytes()


def _entry(field: gguf.ReaderField) -> Entry:
    members = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
    return Entry(field.contents(), field.types[0], members)


def _others(entry: Entry) -> Iterator[tuple[str, Entry | None]]:
    """Give the entries to put in its place; None leaves it out."""
    kind = gguf.GGUFValueType
    yield "removed", None
    if entry.members is not None:
        yield "emptied", Entry(entry.value[:1], entry.type, entry.members)
        yield "cut in half", Entry(entry.value[: len(entry.value) // 2], entry.type, entry.members)
        first = entry.value[0]
        yield "all alike", Entry([first] * len(entry.value), entry.type, entry.members)
        other = [1.0] * len(entry.value)
        yield "of other members", Entry(other, entry.type, kind.FLOAT32)
        yield "a number", Entry(1, kind.UINT32)
        return
    yield "a text", Entry("no", kind.STRING)
    yield "an array", Entry([1, 2, 3], kind.ARRAY, kind.UINT32)
    if entry.type == kind.FLOAT32:
        for number in (0.0, -1.0, math.nan, math.inf):
            yield str(number), Entry(number, entry.type)
    elif entry.type != kind.STRING:
        for number in (0, 1, 3, 1000003, (1 << 32) - 1):
            yield str(number), Entry(number, kind.UINT32)
        yield "-1", Entry(-1, kind.INT32)
    else:
        yield "empty", Entry("", kind.STRING)
        yield "a number", Entry(7, kind.UINT32)


def _write(
    path: Path, reader: gguf.GGUFReader, entries: dict[str, Entry], tensor: str = "", what: str = ""
) -> None:
    """Write the file; ``what`` happens to ``tensor``."""
    architecture = entries.get("general.architecture")
    writer = gguf.GGUFWriter(path, "none")
    writer.kv_data[0].clear()
    if architecture is not None:
        writer.kv_data[0]["general.architecture"] = gguf.GGUFValue(architecture.value, architecture.type)
    for key, entry in entries.items():
        if key != "general.architecture":
            writer.add_key_value(key, entry.value, entry.type, entry.members)
    for one in reader.tensors:
        data, kind = one.data, one.tensor_type
        if one.name == tensor:
            if what == "removed":
                continue
            if what == "half of its rows":
                data = data[: len(data) // 2]
            else:
                data, kind = data.view("int8"), gguf.GGMLQuantizationType.I8
        writer.add_tensor(one.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
