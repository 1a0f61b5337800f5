"""How much waits, and for how long: one statement that finds all of it by indexes."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ScalarSelect, func, select

from assistant.store.database import Database
from assistant.store.models import DEAD, PENDING, InboxRow, OutboxRow

Row = type[InboxRow] | type[OutboxRow]


@dataclass(frozen=True)
class Figures:
    """What waits in inbox and outbox, the age of the oldest in seconds, and what was given up."""

    inbox_waiting: int
    inbox_oldest_seconds: float
    outbox_waiting: int
    outbox_oldest_seconds: float
    dead_letters: int


def read_figures(database: Database, platforms: Sequence[str] | None) -> Figures:
    """Return what is in ``database`` now; of the replies, those for ``platforms`` (None: for all).

    Raises:
        SQLAlchemyError: the database cannot be asked.
    """
    mine = () if platforms is None else (OutboxRow.platform.in_(platforms),)
    replies = (OutboxRow.state == PENDING, *mine)
    first = (InboxRow.state == PENDING,)
    with database.read() as session:
        now = database.now(session)
        waiting, came, unsent, made, *dead = session.execute(
            select(
                select(func.count()).where(*first).scalar_subquery(),
                # Numbers rise with time: the lowest that waits is the oldest, and the index begins with it.
                select(InboxRow.received_at).where(*first).order_by(InboxRow.id).limit(1).scalar_subquery(),
                select(func.count()).where(*replies).scalar_subquery(),
                select(func.min(OutboxRow.created_at)).where(*replies).scalar_subquery(),
                *(_dead(row) for row in (InboxRow, OutboxRow)),
            )
        ).one()
    return Figures(waiting, _age(now, came), unsent, _age(now, made), sum(dead))


def _dead(row: Row) -> ScalarSelect[int]:
    return select(func.count()).select_from(row).where(row.state == DEAD).scalar_subquery()


def _age(now: float, since: float | None) -> float:
    return 0.0 if since is None else max(0.0, now - since)
