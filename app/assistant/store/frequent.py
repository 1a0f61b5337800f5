"""Which questions people ask most, counted from the messages that are kept.

Nothing that people wrote is stored for it: what ``forget`` or the retention deletes is not counted any more,
and where messages are encrypted only a service with the key can count. A question is shown only if several
people have asked it. API calls that get a pinned answer leave no message; their number is kept by day.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import and_, func, select

from assistant.messages import API, Kind
from assistant.store.database import Database
from assistant.store.models import REPLY, CachedHits, InboxRow, OutboxRow, PinnedHits, RatingRow
from assistant.store.outbox import CACHED
from assistant.store.retention import DAY

BATCH = 500


@dataclass
class Frequent:
    """One question: how often it was asked, by how many, and what became of it.

    ``text`` is in the words of its first asker. ``askers`` are people, or chats where a channel does not know
    its people; all API calls are one, since they share a token.
    """

    text: str
    asked: int = 0
    without_model: int = 0
    bad_ratings: int = 0
    askers: set[str] = field(default_factory=set)


def frequent(database: Database, seconds: float, same: Callable[[str], str]) -> list[Frequent]:
    """Return the questions of the last ``seconds``, the most frequent first.

    Args:
        database: where the messages are.
        seconds: how far back.
        same: returns what all forms of a question have in common.

    Raises:
        UnreadableError: a message is encrypted with a key that is not there.
    """
    found: dict[str, Frequent] = {}
    bad = (
        select(RatingRow.inbox_id, func.count().label("bad"))
        .where(RatingRow.score < 0)
        .group_by(RatingRow.inbox_id)
        .subquery()
    )
    with database.read() as session:
        since, last = database.now(session) - seconds, 0
        while True:
            rows = session.execute(
                select(
                    InboxRow.id,
                    InboxRow.text,
                    InboxRow.platform,
                    InboxRow.sender,
                    InboxRow.conversation_id,
                    OutboxRow.detail,
                    CachedHits.hits,
                    bad.c.bad,
                )
                .outerjoin(OutboxRow, and_(OutboxRow.inbox_id == InboxRow.id, OutboxRow.purpose == REPLY))
                .outerjoin(CachedHits, CachedHits.inbox_id == InboxRow.id)
                .outerjoin(bad, bad.c.inbox_id == InboxRow.id)
                .where(
                    InboxRow.id > last,
                    InboxRow.received_at > since,
                    InboxRow.kind.in_((Kind.CHAT.value, Kind.KNOWN.value)),
                    InboxRow.text != "",
                )
                .order_by(InboxRow.id)
                .limit(BATCH)
            ).all()
            for number, text, platform, sender, conversation, detail, hits, rated_bad in rows:
                last = number
                one = found.setdefault(same(text), Frequent(text))
                one.asked += 1 + (hits or 0)
                one.without_model += bool((detail or {}).get(CACHED)) + (hits or 0)
                one.bad_ratings += rated_bad or 0
                one.askers.add(API if platform == API else f"{platform}:{sender or conversation}")
            if len(rows) < BATCH:
                break
        pinned = select(PinnedHits.question, func.sum(PinnedHits.hits)).where(PinnedHits.day >= since // DAY)
        for question, hits in session.execute(pinned.group_by(PinnedHits.question)):
            one = found.setdefault(same(question), Frequent(question))
            one.asked += int(hits)
            one.without_model += int(hits)
            one.askers.add(API)
    return sorted(found.values(), key=lambda one: (-one.asked, one.text))
