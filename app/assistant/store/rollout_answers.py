"""What both models made of people's messages in a rollout: numbers alone, by arm."""

from dataclasses import dataclass

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from assistant.store.database import Database
from assistant.store.models import REPLY, InboxRow, OutboxRow, RatingRow, RolloutAnswer
from assistant.store.outbox import ARM, CACHED

OK, ERROR, EMPTY, CUT = "ok", "error", "empty", "cut"
OUTCOMES = (OK, ERROR, EMPTY, CUT)
# Answers that a person has read.
READ = (OK, CUT)
# So many of a conversation's newest replies are looked at for the last one that a model made.
REPLIES = 20


@dataclass(frozen=True)
class Made:
    """One answer in a rollout.

    ``kind`` is what an error was; ``seconds`` is how long the model took, ``first_token_seconds`` until its
    first words. ``counted``: it counts for the comparison of both models.
    """

    rollout: int
    inbox_id: int
    arm: str
    outcome: str
    seconds: float
    first_token_seconds: float | None = None
    counted: bool = True
    kind: str = ""


@dataclass(frozen=True)
class ArmFigures:
    """What counts of one arm: answers by outcome, seconds of those that were read, ratings and good ones."""

    ok: int = 0
    cut: int = 0
    empty: int = 0
    error: int = 0
    p50: float | None = None
    p99: float | None = None
    ratings: int = 0
    good_ratings: int = 0

    @property
    def answers(self) -> int:
        """How many there are."""
        return self.ok + self.cut + self.empty + self.error

    @property
    def read(self) -> int:
        """How many of them had words for the person."""
        return self.ok + self.cut


class RolloutAnswers:
    """Rows are added one by one, and read as figures."""

    def __init__(self, database: Database) -> None:
        """Use ``database``."""
        self._database = database

    def add(self, made: Made) -> None:
        """Write ``made`` down."""
        with self._database.write() as session:
            self.put(session, made)

    def put(self, session: Session, made: Made) -> None:
        """Write ``made`` down in a transaction of somebody else's."""
        session.add(
            RolloutAnswer(
                rollout_id=made.rollout,
                inbox_id=made.inbox_id,
                arm=made.arm,
                outcome=made.outcome,
                kind=made.kind[:64],
                seconds=made.seconds,
                first_token_seconds=made.first_token_seconds,
                counted=int(made.counted),
                created_at=self._database.now(session),
            )
        )

    def figures(self, rollout: int, arm: str) -> ArmFigures:
        """Return what counts of ``arm`` in ``rollout``."""
        mine = (RolloutAnswer.rollout_id == rollout, RolloutAnswer.arm == arm, RolloutAnswer.counted == 1)
        with self._database.read() as session:
            counts = session.execute(
                select(RolloutAnswer.outcome, func.count()).where(*mine).group_by(RolloutAnswer.outcome)
            )
            outcomes: dict[str, int] = {outcome: count for outcome, count in counts}
            ratings, good = session.execute(
                select(func.count(), func.coalesce(func.sum(cast(RatingRow.score > 0, Integer)), 0))
                .select_from(RolloutAnswer)
                .join(RatingRow, RatingRow.inbox_id == RolloutAnswer.inbox_id)
                .where(*mine, RolloutAnswer.outcome.in_(READ))
            ).one()
            read = sum(outcomes.get(name, 0) for name in READ)

            def quantile(share: float) -> float | None:
                # The smallest that at least this share of them does not exceed.
                place = max(0, -int(-share * read // 1) - 1)
                return session.execute(
                    select(RolloutAnswer.seconds)
                    .where(*mine, RolloutAnswer.outcome.in_(READ))
                    .order_by(RolloutAnswer.seconds)
                    .offset(place)
                    .limit(1)
                ).scalar()

            return ArmFigures(
                **{name: outcomes.get(name, 0) for name in OUTCOMES},
                p50=quantile(0.5) if read else None,
                p99=quantile(0.99) if read else None,
                ratings=ratings,
                good_ratings=int(good),
            )

    def recent(self, rollout: int, arm: str, count: int) -> list[tuple[str, float]]:
        """Return outcome and seconds of the newest ``count`` answers of ``arm``, counted or not."""
        with self._database.read() as session:
            rows = session.execute(
                select(RolloutAnswer.outcome, RolloutAnswer.seconds)
                .where(RolloutAnswer.rollout_id == rollout, RolloutAnswer.arm == arm)
                .order_by(RolloutAnswer.id.desc())
                .limit(count)
            )
            return [(outcome, seconds) for outcome, seconds in rows]

    def latest_arm(self, conversation_id: int, seconds: float) -> tuple[str, float] | None:
        """Return by which arm a conversation's latest answer is, and when it was made (seconds since 1970).

        None without an answer in the last ``seconds``; what was known before, and commands, are no answers.
        """
        with self._database.read() as session:
            since = self._database.now(session) - seconds
            rows = session.execute(
                select(OutboxRow.detail, OutboxRow.created_at)
                .join(InboxRow, InboxRow.id == OutboxRow.inbox_id)
                .where(InboxRow.conversation_id == conversation_id, OutboxRow.purpose == REPLY)
                .order_by(InboxRow.id.desc())
                .limit(REPLIES)
            )
            for detail, created_at in rows:
                if created_at <= since:
                    return None
                if detail.get(ARM) and not detail.get(CACHED):
                    return str(detail[ARM]), created_at
        return None
