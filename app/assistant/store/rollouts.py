"""Rollouts of new models: their state, their clock and their steps; each change is one transaction.

Several processes may share the database. What has to be done once is done by the one that holds the newest
rollout's lease; a change of state happens only from the states that may come before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from assistant.store.database import Database
from assistant.store.models import RolloutEvent, RolloutRow
from assistant.store.rollout_states import ACTIVE, BEFORE, LOADING, PROMOTING, RUNNING


class RolloutRefused(Exception):
    """The rollout is in no state for this; the text says in which."""


@dataclass(frozen=True)
class Rollout:
    """A rollout as its row says; times are seconds since 1970, ``elapsed`` seconds of running."""

    number: int
    candidate: str
    stable: str
    url: str
    state: str
    reason: str
    rules: Mapping[str, Any]
    key: str
    created_at: float
    started_at: float | None
    since: float
    elapsed: float
    due_hours: float
    judged_at: float
    now: float

    @property
    def active(self) -> bool:
        """Whether there is a candidate."""
        return self.state in ACTIVE


@dataclass(frozen=True)
class Step:
    """Something that happened in a rollout, in both languages; ``created_at`` in seconds since 1970."""

    number: int
    rollout: int
    state: str
    reason: str
    english: str
    chinese: str
    created_at: float


class Rollouts:
    """The newest row is the rollout that counts."""

    def __init__(self, database: Database) -> None:
        """Use ``database``."""
        self._database = database

    def newest(self) -> Rollout | None:
        """Return the newest rollout, ended or not; None if there never was one."""
        with self._database.read() as session:
            row = session.execute(select(RolloutRow).order_by(RolloutRow.id.desc()).limit(1)).scalar()
            return None if row is None else _rollout(row, self._database.now(session))

    def start(
        self,
        *,
        candidate: str,
        stable: str,
        url: str,
        key: str,
        rules: Mapping[str, Any],
        steps: Sequence[Step],
    ) -> int:
        """Begin a rollout and end those that are active; returns its number.

        Args:
            candidate: the new model's name.
            stable: the name of the one in use.
            url: the candidate's API, up to ``/v1``.
            key: of the keyed hash, in hexadecimal digits.
            rules: all of them, by name.
            steps: what is written down about those that it ends, and about itself.

        Raises:
            RolloutRefused: one is being promoted.
        """
        ended, begun = steps
        with self._database.write() as session:
            now = self._database.now(session)
            active = select(RolloutRow).where(RolloutRow.state.in_(ACTIVE)).with_for_update()
            for row in session.execute(active).scalars().all():
                if row.state == PROMOTING:
                    raise RolloutRefused(f"rollout {row.id} of {row.candidate} is being promoted")
                self._enter(session, row, ended, now)
            row = RolloutRow(
                candidate=candidate,
                stable=stable,
                url=url,
                state=LOADING,
                reason=begun.reason,
                rules=dict(rules),
                key=key,
                created_at=now,
                since=now,
                ticked_at=now,
                due_hours=float(rules["hours"]),
            )
            session.add(row)
            session.flush()
            _write_down(session, row, begun, now)
            return row.id

    def move(self, number: int, step: Step, *, only_from: Sequence[str] = ()) -> bool:
        """Take rollout ``number`` into the state of ``step`` and write that down.

        Returns:
            False when it is in none of the states that may come before, or of ``only_from``; nothing changed.
        """
        may = set(only_from or BEFORE[step.state])
        with self._database.write() as session:
            row = session.get(RolloutRow, number, with_for_update=True)
            if row is None or row.state not in may:
                return False
            self._enter(session, row, step, self._database.now(session))
            return True

    def note(self, number: int, step: Step, due_hours: float | None = None) -> None:
        """Write ``step`` down, if its reason is a new one, and when the next promotion is due."""
        with self._database.write() as session:
            row = session.get(RolloutRow, number, with_for_update=True)
            if row is None or row.state not in ACTIVE:
                return
            if due_hours is not None:
                row.due_hours = due_hours
            if row.reason != step.reason:
                row.reason = step.reason
                _write_down(session, row, step, self._database.now(session))

    def hold(self, number: int, keeper: str, seconds: float) -> bool:
        """Take or renew the lease on rollout ``number`` for ``seconds``; False: another process has it."""
        with self._database.write() as session:
            now = self._database.now(session)
            return self._database.met_a_row(
                session,
                update(RolloutRow)
                .where(
                    RolloutRow.id == number,
                    (RolloutRow.keeper == keeper) | (RolloutRow.keeper_until < now),
                )
                .values(keeper=keeper, keeper_until=now + seconds),
            )

    def tick(self, number: int) -> None:
        """Move the clock on: what passed since the last tick counts if the rollout ran and it is no gap."""
        with self._database.write() as session:
            row = session.get(RolloutRow, number, with_for_update=True)
            if row is not None and row.state in ACTIVE:
                _tick(row, self._database.now(session))

    def judged(self, number: int) -> None:
        """Write down that it was judged now."""
        with self._database.write() as session:
            session.execute(
                update(RolloutRow)
                .where(RolloutRow.id == number)
                .values(judged_at=self._database.now(session))
            )

    def steps(self, number: int) -> list[Step]:
        """Return what happened in rollout ``number``, the oldest first."""
        with self._database.read() as session:
            return _steps(session, RolloutEvent.rollout_id == number)

    def unannounced(self) -> list[Step]:
        """Return the steps that nobody was told of yet."""
        with self._database.read() as session:
            return _steps(session, RolloutEvent.announced == 0)

    def announced(self, number: int) -> None:
        """Write down that people were told of the step ``number``."""
        with self._database.write() as session:
            session.execute(update(RolloutEvent).where(RolloutEvent.id == number).values(announced=1))

    def _enter(self, session: Session, row: RolloutRow, step: Step, now: float) -> None:
        _tick(row, now)
        if step.state == RUNNING and row.started_at is None:
            row.started_at = now
        row.state, row.reason, row.since = step.state, step.reason, now
        _write_down(session, row, step, now)


def step(state: str, reason: str, english: str, chinese: str) -> Step:
    """Return a step that is not written down yet."""
    return Step(0, 0, state, reason, english, chinese, 0.0)


def _tick(row: RolloutRow, now: float) -> None:
    passed = now - row.ticked_at
    if row.state == RUNNING and 0.0 < passed <= float(row.rules["gap_seconds"]):
        row.elapsed += passed
    row.ticked_at = now


def _write_down(session: Session, row: RolloutRow, step: Step, now: float) -> None:
    session.add(
        RolloutEvent(
            rollout_id=row.id,
            state=row.state,
            reason=step.reason,
            english=step.english,
            chinese=step.chinese,
            created_at=now,
        )
    )


def _steps(session: Session, condition: Any) -> list[Step]:
    rows = session.execute(select(RolloutEvent).where(condition).order_by(RolloutEvent.id)).scalars()
    return [
        Step(r.id, r.rollout_id, r.state, r.reason, r.english, r.chinese, r.created_at) for r in rows.all()
    ]


def _rollout(row: RolloutRow, now: float) -> Rollout:
    return Rollout(
        number=row.id,
        candidate=row.candidate,
        stable=row.stable,
        url=row.url,
        state=row.state,
        reason=row.reason,
        rules=row.rules,
        key=row.key,
        created_at=row.created_at,
        started_at=row.started_at,
        since=row.since,
        elapsed=row.elapsed,
        due_hours=row.due_hours,
        judged_at=row.judged_at,
        now=now,
    )
