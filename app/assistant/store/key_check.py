"""Which keys a database needs: a wrong or missing one is seen at the start, not on the first message.

``encryption_check`` has a row for every key that has sealed something: its name, and a text that it sealed.
"""

import time

from sqlalchemy import Connection, delete, func, insert, literal, select

from assistant.store.encrypted import encrypted_columns
from assistant.store.keyring import SECRET, Keyring, UnreadableError, sealed_with
from assistant.store.models import Base, EncryptionCheck

PLACE, TEXT = "encryption_check.value", "this key opens"


class WrongKeyError(Exception):
    """The keys do not fit the database; the text is one line that says which one is needed, and where."""


def used(connection: Connection, identifier: str) -> list[str]:
    """Return the columns, as ``table.column``, that hold something which the key ``identifier`` sealed."""
    prefix = sealed_with(identifier)
    found = []
    for table, column, column_type in encrypted_columns(Base.metadata):
        begins = func.substr(column_type.sealed(column), 1, len(prefix)) == prefix
        if connection.execute(select(literal(1)).select_from(table).where(begins).limit(1)).first():
            found.append(column_type.place)
    return found


def check(connection: Connection, keyring: Keyring) -> list[str]:
    """Compare ``keyring`` with what the database needs.

    Returns:
        The names of keys that are not in the ring and have sealed nothing that is left.

    Raises:
        WrongKeyError: a key is needed and is not there.
    """
    unused = []
    for identifier, value in connection.execute(select(EncryptionCheck.key_id, EncryptionCheck.value)):
        try:
            fits = identifier in keyring and keyring.open(value, PLACE) == TEXT
        except UnreadableError:
            fits = False
        if fits:
            continue
        places = used(connection, identifier)
        if places:
            problem = "has no such key" if keyring.identifiers else "is missing or empty"
            raise WrongKeyError(
                f"{SECRET}: the database holds text that the key {identifier} encrypted "
                f"({', '.join(places)}), and the file {SECRET} in ASSISTANT_SECRETS_DIR {problem}: put that "
                f"key back, as its only or as a further line (vault_{SECRET}); keys have the ids "
                f"{', '.join(keyring.identifiers) or '(none)'} there. If it is lost: docs/operate.md"
            )
        unused.append(identifier)
    return unused


def adopt(connection: Connection, keyring: Keyring) -> None:
    """Check ``keyring``, note its first key before it seals anything, and forget keys that nothing needs.

    Raises:
        WrongKeyError: a key is needed and is not there; nothing was changed.
    """
    unused = check(connection, keyring)
    if unused:
        connection.execute(delete(EncryptionCheck).where(EncryptionCheck.key_id.in_(unused)))
    note_first_key(connection, keyring)


def note_first_key(connection: Connection, keyring: Keyring) -> None:
    """Note the first key of ``keyring``, which is about to seal something."""
    known = select(EncryptionCheck.key_id).where(EncryptionCheck.key_id == keyring.first)
    if keyring.first and connection.execute(known).first() is None:
        sealed = keyring.seal(TEXT, PLACE)
        connection.execute(
            insert(EncryptionCheck).values(key_id=keyring.first, value=sealed, created_at=time.time())
        )
