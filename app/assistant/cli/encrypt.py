"""``python -m assistant encrypt``: brings what was stored earlier into the form that new texts have.

Safe beside a live service, and may be interrupted: see ``store/reencrypt.py``.
"""

import sqlite3
import sys
import time
from collections import Counter

from assistant.cli.opened_database import FAILED, WRONG_USE, CommandError, opened_database
from assistant.store import Database
from assistant.store.batches import rest_after
from assistant.store.key_check import note_first_key
from assistant.store.keyring import PLAIN, SECRET
from assistant.store.reencrypt import rewrite
from assistant.store.retention import erase

LOG_TRIES = 4
SHOWN = 20


def run(*, decrypt: bool, erase_unreadable: bool, yes: bool) -> int:
    """Rewrite everything with the first key, or as plain text; print what was done.

    Args:
        decrypt: rewrite as plain text; the key file must begin with the line ``plain``.
        erase_unreadable: delete the messages that no key opens, with all that belongs to them.
        yes: really delete them.

    Returns:
        the exit status: 0, 1 when something is left that could not be read, 2 when the command does not fit
        the keys.
    """
    try:
        with opened_database("encrypt", keys_must_fit=not erase_unreadable) as database:
            _refuse_what_does_not_fit(database, decrypt=decrypt, erase_unreadable=erase_unreadable)
            return _rewrite(database, erase_unreadable=erase_unreadable, yes=yes)
    except CommandError as error:
        print(error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("interrupted: what was rewritten stays so; give the command again to go on", file=sys.stderr)
        return FAILED


def _refuse_what_does_not_fit(database: Database, *, decrypt: bool, erase_unreadable: bool) -> None:
    keyring = database.keyring
    if not keyring.identifiers and not erase_unreadable:
        raise CommandError(
            f"{SECRET}: this secret is missing or empty, so there is nothing to encrypt with: put what "
            f"`openssl rand -base64 32` prints into vault_{SECRET} and run the play",
            WRONG_USE,
        )
    if decrypt and keyring.first:
        raise CommandError(
            f"{SECRET}: the service goes on encrypting with the key {keyring.first}: put the line "
            f"{PLAIN} above it in vault_{SECRET} and run the play; then this command decrypts what is left",
            WRONG_USE,
        )
    if not decrypt and not keyring.first and keyring.identifiers:
        raise CommandError(
            f"{SECRET}: its first line is {PLAIN}, so the service writes plain text: say --decrypt to do "
            "that with what is there already, or remove the line and run the play to encrypt",
            WRONG_USE,
        )


def _rewrite(database: Database, *, erase_unreadable: bool, yes: bool) -> int:
    with database.write() as session:
        # The service has done so at its start, but perhaps with other keys.
        note_first_key(session.connection(), database.keyring)
    rows: Counter[str] = Counter()
    unreadable: set[int] = set()
    started = time.monotonic()
    for batch in rewrite(database):
        rows[batch.place] += batch.rows
        unreadable.update(batch.unreadable)
        rest_after(time.monotonic() - started)
        started = time.monotonic()
    form = f"with the key {database.keyring.first}" if database.keyring.first else "as plain text"
    what = ", ".join(f"{place} {count}" for place, count in sorted(rows.items()) if count)
    print(f"rewritten {form}: {what or 'nothing; everything was so already'}")
    if unreadable:
        _unreadable(database, sorted(unreadable), erase_unreadable=erase_unreadable, yes=yes)
    if database.keyring.first:
        _leave_nothing_behind(database)
    return 0


def _leave_nothing_behind(database: Database) -> None:
    problem = "the write-ahead log is in use"
    try:
        database.write_file_anew()
        # A busy service leaves a gap sooner or later; each try waits for one, see BUSY_TIMEOUT_SECONDS.
        if any(database.empty_log() for _ in range(LOG_TRIES)):
            return
    except sqlite3.Error as error:
        problem = f"{type(error).__name__}: {getattr(error, 'sqlite_errorname', '')}"
    raise CommandError(
        f"everything is rewritten, but the SQLite file could not be written anew ({problem}), and in its "
        "gaps may be what was there before: see that its disk has room for two more copies of it, and that "
        "nothing else holds it for long; then give the command again"
    )


def _unreadable(database: Database, messages: list[int], *, erase_unreadable: bool, yes: bool) -> None:
    names = ", ".join(f"inbox-{n}" for n in messages[:SHOWN]) + (", ..." if len(messages) > SHOWN else "")
    many = f"{len(messages)} messages" if len(messages) > 1 else "1 message"
    if not erase_unreadable:
        raise CommandError(
            f"{many} ({names}), or replies to them, cannot be read with any key and were left as they are: "
            f"put the missing key into vault_{SECRET}. Where it is lost, --erase-unreadable deletes them"
        )
    if not yes:
        raise CommandError(
            f"{many} ({names}) would be deleted, with their replies; add --yes to do it", WRONG_USE
        )
    erase(database, messages)
    print(f"deleted: {many} ({names}) that no key opens, with all that belongs to them")
