"""What becomes of a message or reply that no key opens: it waits, and the others go on."""

from sqlalchemy import Select, update
from sqlalchemy.orm import Session

from assistant.store.keyring import UnreadableError
from assistant.store.models import InboxRow, OutboxRow

# Time for an operator to bring the key; nothing is lost meanwhile, and the conversation keeps its order.
PAUSE_SECONDS = 60.0


class UnreadableRow(Exception):
    """The message or reply ``number`` cannot be opened and was put off; the text says why."""

    def __init__(self, number: int, reason: str) -> None:
        """Remember the row's ``number`` in its table, and the ``reason``."""
        super().__init__(reason)
        self.number = number


def put_off(
    session: Session,
    row: type[InboxRow] | type[OutboxRow],
    ids: Select[int],
    now: float,
    error: UnreadableError,
) -> UnreadableRow | None:
    """Put off the row that could not be read.

    Args:
        session: the transaction in which it was found; it must be committed.
        row: the table.
        ids: the statement that found it, reading the id alone.
        now: the time.
        error: why it could not be read.

    Returns:
        What to raise after the transaction's end.
    """
    number = session.execute(ids, {"now": now}).scalar_one_or_none()
    if number is None:
        return None
    session.execute(update(row).where(row.id == number).values(available_at=now + PAUSE_SECONDS))
    return UnreadableRow(number, str(error))
