"""Loads of the model: an attempt is committed before it begins, so that a process that dies of it is found.

llama.cpp ends the process on some damaged files, and the kernel kills one that takes too much memory: neither
leaves anybody to count the failure. So an attempt holds a lease while its process lives. One whose lease has
run out without an end has failed; the next process to load a model writes that down, and until then it is
counted as it is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from assistant.store.database import Database
from assistant.store.models import ModelLoad, ModelLoads

# Longer than a worker needs to end and begin anew: a scrape in between sees the counter's old value.
LEASE_SECONDS = 30.0
# The models whose counters are kept, the newest ones, and the attempts that can be looked at.
MODELS = 10
ATTEMPTS = 50
# Why an attempt failed that nobody ended.
DIED = "process died"
LOADING, SUCCESS, FAILURE = "loading", "success", "failure"


@dataclass(frozen=True)
class Failure:
    """A load that failed, when it began (seconds since 1970), and why: a type's name, or ``DIED``."""

    model: str
    began_at: float
    reason: str


class Loads:
    """The attempts to load one model, by one process after the other."""

    def __init__(self, database: Database, model: str) -> None:
        """Keep in ``database`` what becomes of ``model``."""
        self._database, self._model = database, model[:255]
        self._number: int | None = None

    def begin(self) -> None:
        """Commit that an attempt begins, and count those whose process died."""
        with self._database.write() as session:
            now = self._database.now(session)
            for dead in session.execute(
                self._database.skip_locked(
                    select(ModelLoad).where(ModelLoad.result == LOADING, ModelLoad.lease_until < now),
                    ModelLoad,
                )
            ).scalars():
                dead.result, dead.reason, dead.ended_at = FAILURE, DIED, now
                _count(session, dead.model, FAILURE, now)
            row = ModelLoad(
                model=self._model, result=LOADING, began_at=now, lease_until=now + LEASE_SECONDS, reason=""
            )
            session.add(row)
            # There from now on, with what was counted before: a counter that begins at 1 shows no increase.
            _count(session, self._model, LOADING, now)
            _forget(session)
            session.flush()
            self._number = row.id

    def hold(self) -> None:
        """Say that the attempt goes on."""
        self._change(lease=True)

    def succeed(self) -> None:
        """Commit that the model is loaded and warm."""
        self._end(SUCCESS, "")

    def fail(self, reason: str) -> None:
        """Commit that it cannot be loaded; ``reason`` is a type's name."""
        self._end(FAILURE, reason[:64])

    def withdraw(self) -> None:
        """The process is told to stop in the middle: neither a success nor a failure."""
        number, self._number = self._number, None
        if number is not None:
            with self._database.write() as session:
                session.execute(delete(ModelLoad).where(ModelLoad.id == number, ModelLoad.result == LOADING))

    def _end(self, result: str, reason: str) -> None:
        if self._change(result=result, reason=reason):
            self._number = None

    def _change(self, *, lease: bool = False, result: str = LOADING, reason: str = "") -> bool:
        if self._number is None:
            return False
        with self._database.write() as session:
            now = self._database.now(session)
            ended = {} if lease else {"ended_at": now}
            met = self._database.met_a_row(
                session,
                update(ModelLoad)
                .where(ModelLoad.id == self._number, ModelLoad.result == LOADING)
                .values(result=result, reason=reason, lease_until=now + LEASE_SECONDS, **ended),
            )
            if not lease:
                _count(session, self._model, result, now)
            return met


def counts(database: Database) -> dict[str, tuple[int, int]]:
    """Return how many loads succeeded and failed, by model: at most ``MODELS`` of them.

    Raises:
        SQLAlchemyError: the database cannot be asked.
    """
    with database.read() as session:
        now = database.now(session)
        found = {
            model: (successes, failures)
            for model, successes, failures in session.execute(
                select(ModelLoads.model, ModelLoads.successes, ModelLoads.failures)
                .order_by(ModelLoads.changed_at.desc(), ModelLoads.model)
                .limit(MODELS)
            )
        }
        died = session.execute(
            select(ModelLoad.model, func.count())
            .where(ModelLoad.result == LOADING, ModelLoad.lease_until < now)
            .group_by(ModelLoad.model)
        ).all()
    for model, number in died:
        if model in found:
            successes, failures = found[model]
            found[model] = successes, failures + number
    return found


def failures(database: Database, limit: int) -> Sequence[Failure]:
    """Return the newest ``limit`` loads that failed, the newest first."""
    with database.read() as session:
        now = database.now(session)
        rows = session.execute(
            select(ModelLoad.model, ModelLoad.began_at, ModelLoad.reason)
            .where(
                (ModelLoad.result == FAILURE)
                | ((ModelLoad.result == LOADING) & (ModelLoad.lease_until < now))
            )
            .order_by(ModelLoad.id.desc())
            .limit(limit)
        ).all()
    return [Failure(model, began_at, reason or DIED) for model, began_at, reason in rows]


def _count(session: Session, model: str, result: str, now: float) -> None:
    row = session.get(ModelLoads, model, with_for_update=session.get_bind().dialect.name != "sqlite")
    if row is None:
        row = ModelLoads(model=model, successes=0, failures=0, changed_at=now)
        session.add(row)
    row.successes += result == SUCCESS
    row.failures += result == FAILURE
    row.changed_at = now
    session.flush()


def _forget(session: Session) -> None:
    kept = select(ModelLoads.model).order_by(ModelLoads.changed_at.desc(), ModelLoads.model).limit(MODELS)
    session.execute(delete(ModelLoads).where(ModelLoads.model.not_in(kept)))
    newest = select(ModelLoad.id).order_by(ModelLoad.id.desc()).limit(ATTEMPTS)
    session.execute(delete(ModelLoad).where(ModelLoad.result != LOADING, ModelLoad.id.not_in(newest)))
