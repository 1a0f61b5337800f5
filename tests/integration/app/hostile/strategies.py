"""What hostile people send: anything at all, and what is nearly right."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

# Lone surrogates and NUL too: both are in JSON's power, and in no database's.
texts = st.text(st.characters(exclude_categories=()), max_size=80)
numbers = st.one_of(
    st.integers(),
    st.sampled_from([2**31, 2**63, 2**64, -(2**63) - 1, 10**300, 10**4000, -(10**4000), 0, -1]),
    st.floats(),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts, st.just("x" * 5000))
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4))
)


@st.composite
def deep(draw: st.DrawFn) -> bytes:
    """JSON, or nearly, that is nested without need."""
    depth = draw(st.sampled_from([10, 500, 999, 1001, 5000, 100_000]))
    opening, closing = draw(st.sampled_from([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"text":', b"}]")]))
    closed = draw(st.sampled_from([depth, depth - 1, 0]))
    return opening * depth + b"1" + closing * closed


@st.composite
def mutated(draw: st.DrawFn, good: Any) -> Any:
    """``good`` with one to four places changed, dropped or added."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(value))
        if not places:
            return draw(values)
        holder, key = draw(st.sampled_from(places))
        act = draw(st.sampled_from(["change", "drop", "add", "wrap"]))
        if act == "drop":
            del holder[key]
        elif act == "wrap":
            holder[key] = [holder[key]]
        elif act == "add" and isinstance(holder, dict):
            holder[draw(texts)] = draw(values)
        else:
            holder[key] = draw(values)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from _places(inner)


# What http.client lets through: gunicorn's parser is shown the rest by ``raw``.
header_values = st.binary(max_size=60).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b"").strip())
content_types = st.one_of(
    st.just(b"application/json"),
    st.sampled_from(
        [
            b"application/json; charset=utf-16",
            b"application/json; charset=no-such",
            b'application/json; charset="',
            b"application/json;;;=",
            b"APPLICATION/JSON",
            b"text/plain",
            b"multipart/form-data",
            b"multipart/form-data; boundary=",
            b"application/x-www-form-urlencoded",
            b"",
        ]
    ),
    header_values,
)
cookies = st.one_of(
    header_values,
    st.binary(max_size=50).map(lambda b: b"conversation=" + b.replace(b"\r", b"").replace(b"\n", b"")),
    st.sampled_from(
        [
            b"conversation=" + b"A" * 43,
            b"conversation=" + b"A" * 42 + b"\xff",
            b'conversation="\\777\\000"',
            b"conversation=; conversation=" + b"b" * 43,
            b"=;;;=",
            b"$Version=1; conversation=x",
        ]
    ),
)
bodies = st.one_of(
    st.binary(max_size=300),
    deep(),
    values.map(lambda v: _dumps(v)),
    values.map(lambda v: _dumps(v).decode().encode("utf-16")),
    st.sampled_from([b"\xef\xbb\xbf{}", b"{}\x00", b"NaN", b'{"a":1,"a":2}', b'"\\ud800"', b"1" * 5000]),
)


def _dumps(value: Any) -> bytes:
    from tests.integration.app.hostile.target import as_json

    return as_json(value)
