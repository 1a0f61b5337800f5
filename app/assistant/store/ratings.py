"""Ratings of answers, for the operators: how satisfied people are (CSAT)."""

from dataclasses import dataclass

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.exc import IntegrityError

from assistant.metrics.labels import STABLE
from assistant.store.database import Database
from assistant.store.models import REPLY, Conversation, Feedback, OutboxRow, RatingRow
from assistant.store.outbox import ARM, RATEABLE


@dataclass(frozen=True)
class Satisfaction:
    """The ratings of one platform: how many, and how many of them good."""

    platform: str
    ratings: int
    good: int

    @property
    def csat(self) -> float:
        """The share of good ratings in percent: the usual definition of CSAT for two answers."""
        return 100.0 * self.good / self.ratings if self.ratings else 0.0


class Ratings:
    """One rating for each answer and person; a later one replaces it."""

    def __init__(self, database: Database) -> None:
        """Use ``database``."""
        self._database = database

    def rate(self, platform: str, chat: str, number: int, score: int, sender: str) -> str:
        """Store a rating; returns the arm of the model that made the answer.

        Empty when ``number`` is no rateable answer that was given in ``chat``: nothing was stored.

        Args:
            platform: the channel's name.
            chat: the platform's id of the chat in which it was rated.
            number: the answer's, see ``Delivery.rateable``.
            score: 1 for good, -1 for bad.
            sender: the platform's id of the person, or empty.
        """
        for last_try in (False, True):
            try:
                with self._database.write() as session:
                    reply = session.execute(
                        select(OutboxRow.detail)
                        .join(Conversation, Conversation.id == OutboxRow.conversation_id)
                        .where(
                            OutboxRow.inbox_id == number,
                            OutboxRow.purpose == REPLY,
                            Conversation.platform == platform,
                            Conversation.chat == chat,
                        )
                    ).scalar_one_or_none()
                    if reply is None or not reply.get(RATEABLE):
                        return ""
                    now = self._database.now(session)
                    whose = (RatingRow.inbox_id == number, RatingRow.sender == sender)
                    row = session.execute(select(RatingRow).where(*whose)).scalar_one_or_none()
                    if row is None:
                        row = RatingRow(inbox_id=number, platform=platform, sender=sender)
                        session.add(row)
                    row.score, row.created_at = score, now
                    # Older answers do not say.
                    return str(reply.get(ARM) or STABLE)
            except IntegrityError:
                # Two clicks at once on PostgreSQL: the second try finds the row.
                if last_try:
                    raise
        return ""

    def satisfaction(self, seconds: float) -> list[Satisfaction]:
        """Return the ratings of the last ``seconds``, by platform."""
        with self._database.read() as session:
            since = self._database.now(session) - seconds
            rows = session.execute(
                select(
                    RatingRow.platform,
                    func.count(),
                    func.sum(cast(RatingRow.score > 0, Integer)),
                )
                .where(RatingRow.created_at > since)
                .group_by(RatingRow.platform)
                .order_by(RatingRow.platform)
            ).all()
        return [Satisfaction(platform, count, int(good)) for platform, count, good in rows]

    def feedback(self, seconds: float) -> list[tuple[float, str, str]]:
        """Return what people told the operators in the last ``seconds``: age in seconds, platform, text."""
        with self._database.read() as session:
            now = self._database.now(session)
            rows = session.execute(
                select(Feedback.created_at, Feedback.platform, Feedback.text)
                .where(Feedback.created_at > now - seconds)
                .order_by(Feedback.created_at)
            ).all()
        return [(now - at, platform, text) for at, platform, text in rows]
