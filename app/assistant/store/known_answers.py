"""What is kept of known answers: the operators' pins, and how often API calls got an answer.

The cache itself is in memory alone. An operator's command reaches the services that share the database by two
counters, which each service looks at now and then.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from assistant.store.database import Database
from assistant.store.keyring import UnreadableError
from assistant.store.models import (
    FORGOTTEN,
    CachedHits,
    Cursor,
    InboxRow,
    PinnedAnswer,
    PinnedHits,
    RatingRow,
)
from assistant.store.retention import DAY

# Counters: how often the cache was cleared, and how often the pins were changed.
CLEARED, CHANGED = "answer_cache_cleared", "pinned_answers_changed"


@dataclass(frozen=True)
class PinRow:
    """A pin; ``language`` is en, zh or empty for any, ``created_at`` in seconds since 1970."""

    number: int
    question: str
    language: str
    answer: str
    created_at: float


@dataclass(frozen=True)
class BadRating:
    """A message whose answer was rated bad, ``age`` seconds ago; ``hint`` is its platform's language."""

    number: int
    at: float
    age: float
    platform: str
    text: str
    hint: str


class KnownAnswers:
    """Each change is committed at once."""

    def __init__(self, database: Database) -> None:
        """Use ``database``."""
        self._database = database

    def counters(self) -> tuple[int, int]:
        """Return how often the cache was cleared, and how often the pins were changed."""
        with self._database.read() as session:
            rows = session.execute(
                select(Cursor.name, Cursor.value).where(Cursor.name.in_((CLEARED, CHANGED)))
            )
            found = {name: value for name, value in rows}
        return found.get(CLEARED, 0), found.get(CHANGED, 0)

    def now(self) -> float:
        """Return the database's time, in seconds since 1970."""
        with self._database.read() as session:
            return self._database.now(session)

    def rated_bad(self, since: float) -> list[BadRating]:
        """Return what was rated bad at ``since`` or later; what no key opens is left out."""
        found = []
        with self._database.read() as session:
            now = self._database.now(session)
            rows = session.execute(
                select(RatingRow.inbox_id, RatingRow.created_at, InboxRow.platform, InboxRow.language)
                .join(InboxRow, InboxRow.id == RatingRow.inbox_id)
                .where(RatingRow.created_at >= since, RatingRow.score < 0)
            ).all()
            for number, at, platform, hint in rows:
                try:
                    text = session.execute(select(InboxRow.text).where(InboxRow.id == number)).scalar_one()
                except UnreadableError:
                    continue
                found.append(BadRating(number, at, now - at, platform, text, hint))
        return found

    def clear(self) -> None:
        """Make every service forget its cached answers."""
        self._count(CLEARED)

    def pins(self) -> list[PinRow]:
        """Return all pins, oldest first."""
        with self._database.read() as session:
            rows = session.execute(select(PinnedAnswer).order_by(PinnedAnswer.id)).scalars().all()
        return [PinRow(r.id, r.question, r.language, r.answer, r.created_at) for r in rows]

    def pin(self, question: str, language: str, answer: str) -> int:
        """Pin ``answer``; returns its number."""
        with self._database.write() as session:
            row = PinnedAnswer(
                question=question, language=language, answer=answer, created_at=self._database.now(session)
            )
            session.add(row)
            session.flush()
            number = row.id
        self._count(CHANGED)
        return number

    def unpin(self, numbers: list[int]) -> list[int]:
        """Remove the pins with these ``numbers``; returns those that were there."""
        with self._database.write() as session:
            there = select(PinnedAnswer.id).where(PinnedAnswer.id.in_(numbers))
            found = list(session.execute(there).scalars())
            session.execute(delete(PinnedAnswer).where(PinnedAnswer.id.in_(found)))
        if found:
            self._count(CHANGED)
        return found

    def add_hits(self, hits: Mapping[int, int]) -> None:
        """Add to how often the answers to these messages were given to API calls."""
        if not hits:
            return
        with self._database.write() as session:
            # A message that was deleted meanwhile has no statistics.
            there = select(InboxRow.id).where(InboxRow.id.in_(list(hits)), InboxRow.state != FORGOTTEN)
            for number in session.execute(there).scalars():
                more = update(CachedHits).where(CachedHits.inbox_id == number)
                if not self._database.met_a_row(session, more.values(hits=CachedHits.hits + hits[number])):
                    session.add(CachedHits(inbox_id=number, hits=hits[number]))

    def add_pinned_hits(self, hits: Mapping[str, int]) -> None:
        """Add to how often the pinned answers to these questions were given to API calls today."""
        if not hits:
            return
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        with self._database.write() as session:
            day = int(self._database.now(session) // DAY)
            # All processes in the same order: nobody waits for one that waits for him.
            for question, count in sorted(hits.items()):
                key = hashlib.sha256(question.encode()).hexdigest()
                row = insert(PinnedHits).values(day=day, key=key, question=question, hits=count)
                more = {"hits": PinnedHits.hits + count}
                session.execute(row.on_conflict_do_update(index_elements=["day", "key"], set_=more))

    def _count(self, name: str) -> None:
        with self._database.write() as session:
            more = update(Cursor).where(Cursor.name == name).values(value=Cursor.value + 1)
            if not self._database.met_a_row(session, more):
                session.add(Cursor(name=name, value=1))
