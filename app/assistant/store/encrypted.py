"""Column types whose values are encrypted on their way into the database, where there is a key.

A new column of what people write is ``EncryptedText("<table>.<column>")`` or ``EncryptedJSON`` in the model,
plain ``Text`` or ``JSON`` in the migration; nothing else has to know. The keys belong to the engine
(``use_keyring``). Values cannot be compared in SQL: the same text is never stored the same way twice.
"""

import json
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import JSON, ColumnElement, Dialect, MetaData, Table, Text, type_coerce
from sqlalchemy.types import TypeDecorator, TypeEngine

from assistant.store.keyring import Keyring, escaped

# In a JSON object: where what was sealed is.
SEALED = "$sealed"
_PLAIN = Keyring()
# SQLAlchemy hands a type the engine's dialect and nothing else; every engine has one of its own.
_keyrings: "WeakKeyDictionary[Dialect, Keyring]" = WeakKeyDictionary()


def use_keyring(dialect: Dialect, keyring: Keyring) -> None:
    """Make the engine with this ``dialect`` seal and open with ``keyring``."""
    _keyrings[dialect] = keyring


class EncryptedText(TypeDecorator[str]):
    """A text."""

    impl = Text
    cache_ok = True

    def __init__(self, place: str) -> None:
        """Take the column's name as ``table.column``; what was sealed for it opens nowhere else."""
        super().__init__()
        self.place = place

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the stored form of ``value``."""
        return None if value is None else _keyrings.get(dialect, _PLAIN).seal(value, self.place)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what is stored as ``value``; raises UnreadableError."""
        return None if value is None else _keyrings.get(dialect, _PLAIN).open(value, self.place)

    def sealed(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        """Return an expression for the stored form of ``column``."""
        return type_coerce(column, Text())


class EncryptedJSON(TypeDecorator[dict[str, Any]]):
    """A JSON object."""

    impl = JSON
    cache_ok = True

    def __init__(self, place: str) -> None:
        """Take the column's name as ``table.column``; what was sealed for it opens nowhere else."""
        super().__init__()
        self.place = place

    def process_bind_param(self, value: Any, dialect: Dialect) -> dict[str, Any] | None:
        """Return the stored form of ``value``."""
        keyring = _keyrings.get(dialect, _PLAIN)
        stored: dict[str, Any] | None = value
        # An empty object stays one: there is nothing in it to hide.
        if not stored or not (keyring.first or SEALED in stored):
            return stored
        text = json.dumps(stored, ensure_ascii=False, separators=(",", ":"))
        return {SEALED: keyring.seal(text, self.place) if keyring.first else escaped(text)}

    def process_result_value(self, value: dict[str, Any] | None, dialect: Dialect) -> dict[str, Any] | None:
        """Return what is stored as ``value``; raises UnreadableError."""
        if value is None or SEALED not in value:
            return value
        opened: dict[str, Any] = json.loads(
            _keyrings.get(dialect, _PLAIN).open(str(value[SEALED]), self.place)
        )
        return opened

    def sealed(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        """Return an expression for what is sealed in ``column``, NULL where nothing is."""
        stored: ColumnElement[str] = type_coerce(column, JSON())[SEALED].as_string()
        return stored


EncryptedType = EncryptedText | EncryptedJSON


def encrypted_columns(metadata: MetaData) -> Iterator[tuple[Table, ColumnElement[Any], EncryptedType]]:
    """Give every column of ``metadata`` that has one of these types, with its table."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, EncryptedText | EncryptedJSON):
                yield table, column, column.type


def stored_type(column_type: EncryptedType) -> TypeEngine[Any]:
    """Return the type that reads a column as it is stored."""
    return Text() if isinstance(column_type, EncryptedText) else JSON()
