"""What people asked, for evaluations: read where it lies, so that retention and erasure hold for it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.orm import aliased

from assistant.messages import API, Kind
from assistant.store.database import Database
from assistant.store.models import DONE, REPLY, HistoryRow, InboxRow, OutboxRow
from assistant.store.retention import DAY, erase

# So many numbers in one statement.
BATCH = 500


@dataclass(frozen=True)
class Asked:
    """A message that opened a conversation and was answered: its number, channel and text."""

    number: int
    platform: str
    text: str


def asked(database: Database, seconds: float) -> list[Asked]:
    """Return the questions of the last ``seconds`` that need nothing said before, the oldest first.

    Calls of the API are left out: they are programs', which evaluations are too.

    Raises:
        UnreadableError: a text needs a key that is not there.
    """
    earlier = aliased(HistoryRow)
    before = select(earlier.id).where(
        earlier.conversation_id == InboxRow.conversation_id,
        earlier.inbox_id < InboxRow.id,
        earlier.created_at >= InboxRow.received_at - DAY,
    )
    with database.read() as session:
        since = database.now(session) - seconds
        rows = session.execute(
            select(InboxRow.id, InboxRow.platform, InboxRow.text)
            .join(OutboxRow, and_(OutboxRow.inbox_id == InboxRow.id, OutboxRow.purpose == REPLY))
            .where(
                InboxRow.state == DONE,
                InboxRow.kind.in_([Kind.CHAT, Kind.KNOWN]),
                InboxRow.platform != API,
                InboxRow.received_at >= since,
                ~before.exists(),
            )
            .order_by(InboxRow.id)
        ).all()
    return [Asked(*row) for row in rows]


def texts(database: Database, numbers: Sequence[int]) -> dict[int, str]:
    """Return what is still kept of the messages ``numbers``."""
    found: dict[int, str] = {}
    for start in range(0, len(numbers), BATCH):
        with database.read() as session:
            rows = session.execute(
                select(InboxRow.id, InboxRow.text).where(
                    InboxRow.id.in_(numbers[start : start + BATCH]), InboxRow.state == DONE
                )
            )
            found |= {number: text for number, text in rows if text}
    return found


def now(database: Database) -> float:
    """Return the database's time, in seconds since 1970."""
    with database.read() as session:
        return database.now(session)


def erase_calls(database: Database, said: Collection[str], since: float) -> int:
    """Delete the answered API calls since ``since`` that asked one of ``said``; returns how many.

    An evaluation that asks this very service leaves a person's words in a call of its own, where nobody would
    find them who deletes what is kept of that person.
    """
    with database.read() as session:
        rows = session.execute(
            select(InboxRow.id, InboxRow.text)
            # A call has no sender; with it the statement finds its index.
            .where(
                InboxRow.platform == API,
                InboxRow.sender == "",
                InboxRow.received_at >= since,
                InboxRow.state == DONE,
            )
        ).all()
    own = [number for number, text in rows if text in said]
    erase(database, own)
    return len(own)
