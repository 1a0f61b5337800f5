"""A model file again, with one metadata entry or one tensor left out or changed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gguf

from tests.bench.gguf_copy import Entry, Weights, entries, weights, write


def changed_entries(model: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give what was changed and the whole file, for every entry and every tensor of ``model``."""
    reader = gguf.GGUFReader(model)
    metadata, tensors = entries(reader), weights(reader)
    path = folder / "changed.gguf"
    for key, entry in metadata.items():
        for what, other in _others(entry):
            fields = {name: e for name, e in metadata.items() if name != key}
            write(path, fields if other is None else {**fields, key: other}, tensors)
            yield f"{key} {what}", path.read_bytes()
    for number, tensor in enumerate(tensors):
        for what, changed in _other_weights(tensor):
            write(path, metadata, [*tensors[:number], *changed, *tensors[number + 1 :]])
            yield f"{tensor.name} {what}", path.read_bytes()


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


def _other_weights(one: Weights) -> Iterator[tuple[str, list[Weights]]]:
    """Give what to put in the tensor's place."""
    yield "removed", []
    yield "half of its rows", [replace(one, data=one.data[: len(one.data) // 2])]
    yield "as bytes", [replace(one, data=one.data.view("int8"), type=gguf.GGMLQuantizationType.I8)]
