"""Opening the database for a command beside the service, with one set of messages for all commands."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from assistant.secret_files import SecretFilesError, read_secrets
from assistant.settings import PREFIX, Settings, SettingsError, load_database_url
from assistant.settings_checks import keyring_of
from assistant.store import Database
from assistant.store.key_check import WrongKeyError, check
from assistant.store.keyring import UnreadableError
from assistant.store.models import EncryptionCheck

FAILED, WRONG_USE = 1, 2
_NAME = f"{PREFIX}DATABASE_URL"


class CommandError(Exception):
    """The command cannot do what was asked; the text says what is wrong, where, and what to do."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        """Take the text for the screen and the exit status."""
        super().__init__(message)
        self.status = status


@contextmanager
def opened_database(example: str, *, keys_must_fit: bool = True) -> Iterator[Database]:
    """Give the database that the settings name, with the keys for what people wrote.

    Args:
        example: the command as it is typed behind ``python3 -m assistant``, for messages.
        keys_must_fit: whether to refuse where a key is needed and not there.

    Raises:
        CommandError: it cannot be opened or, later, used; the text is one line.
    """
    try:
        url = load_database_url()
        directory = Path(
            os.environ.get(f"{PREFIX}SECRETS_DIR") or Settings.model_fields["secrets_dir"].default
        )
        keyring = keyring_of(read_secrets(directory), directory)
    except (SettingsError, SecretFilesError) as error:
        raise CommandError(str(error)) from None
    place = _place(url)
    path = make_url(url).database or ""
    # SQLite would make an empty file, and the command would say that there is nothing.
    if url.startswith("sqlite") and not path.startswith((":", "file:")) and not os.path.isfile(path):
        raise CommandError(
            f"{_NAME}: {place} is not there, or not for this user; the assistant makes it "
            f"when it starts. Run this in its container: docker exec ai-core python3 -m assistant {example}"
        )
    database = Database(url, keyring)
    try:
        with database.read() as session:
            connection = session.connection()
            if not inspect(connection).has_table(EncryptionCheck.__tablename__):
                raise CommandError(
                    f"{_NAME}: {place} has no tables of the assistant, or those of an older version; they "
                    "are made when it starts. Look at its log: docker logs ai-core"
                )
            if keys_must_fit:
                check(connection, keyring)
        yield database
    except WrongKeyError as error:
        raise CommandError(str(error)) from None
    except UnreadableError as error:
        raise CommandError(f"{_NAME}: {error}; docs/operate.md says what to do") from None
    except SQLAlchemyError as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        raise CommandError(
            f"{_NAME}: {place} cannot be used ({kind}). Check that it can be reached and "
            "written, and that nothing else holds it: curl -s http://127.0.0.1:8000/readyz. What was done "
            "before stays done; the command can be given again"
        ) from None
    finally:
        database.close()


def _place(url: str) -> str:
    """Return what may be shown of ``url``: never a password."""
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        raise CommandError(
            f"{_NAME}: is no address of a database "
            f"(example: {_NAME}={Settings.model_fields['database_url'].default})"
        ) from None
    if parts.get_backend_name() == "sqlite":
        return f"the SQLite file {parts.database}"
    host = parts.host or parts.query.get("host") or "this machine"
    return f"the PostgreSQL database {parts.database} on {host}"
