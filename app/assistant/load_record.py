"""Keeps in the database what becomes of loading the model; a database that is away stops no load."""

from collections.abc import Callable

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from assistant.logs import Log
from assistant.loops import Loop
from assistant.store.model_loads import LEASE_SECONDS, Loads

log = Log(__name__)


class LoadRecord:
    """Tells ``Loads``, and holds the attempt's lease on a thread of its own while the model loads."""

    def __init__(self, loads: Loads) -> None:
        """Prepare the thread; it runs from ``begin`` to the attempt's end."""
        self._loads = loads
        self._holder = Loop("model-load", self._hold, idle_seconds=LEASE_SECONDS / 6)

    def begin(self) -> None:
        """Commit that loading begins."""
        self._try(self._loads.begin)
        self._holder.start()

    def succeed(self) -> None:
        """Commit that the model is loaded and warm."""
        self._holder.ask_to_stop()
        self._try(self._loads.succeed)

    def fail(self, reason: str) -> None:
        """Commit that it cannot be loaded; ``reason`` is a type's name."""
        self._holder.ask_to_stop()
        self._try(lambda: self._loads.fail(reason))

    def stop(self) -> None:
        """The process ends: a load in the middle is no failure."""
        self._holder.ask_to_stop()
        self._try(self._loads.withdraw)

    def _hold(self) -> bool:
        self._loads.hold()
        return False

    @staticmethod
    def _try(act: Callable[[], None]) -> None:
        try:
            try:
                act()
            except IntegrityError:
                # Another host has just begun with the same new model.
                act()
        except SQLAlchemyError as error:
            log.warning("a load of the model is not counted", error=type(error).__name__)
