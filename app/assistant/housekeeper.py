"""The housekeeper: deletes, in the background, what is older than it may be."""

import time

from assistant.logs import Log
from assistant.loops import Loop, Loops
from assistant.metrics import Metrics
from assistant.store import Retention

log = Log(__name__)
HOUR = 3600.0
# SQLite has one writer at a time: between two batches it belongs to the messages that come in.
REST_FACTOR = 4.0
LONGEST_REST_SECONDS = 2.0


class Housekeeper:
    """Works through what is too old once an hour, in small batches with a rest after each."""

    def __init__(self, retention: Retention, metrics: Metrics) -> None:
        """Delete what ``retention`` finds, and count it in ``metrics``."""
        self._retention, self._metrics = retention, metrics
        self._loops = Loops([Loop("housekeeper", self.step, idle_seconds=HOUR)])

    def start(self) -> None:
        """Start the thread."""
        self._loops.start()

    def stop(self) -> None:
        """Finish the present batch and stop the thread."""
        self._loops.stop(5)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._loops.alive

    def step(self) -> bool:
        """Delete one batch; returns whether there may be more."""
        started = time.monotonic()
        batch = self._retention.delete_batch()
        for table, rows in batch.rows.items():
            if rows:
                self._metrics.deleted.labels(table).inc(rows)
        if any(batch.rows.values()):
            log.info("deleted what was too old", **batch.rows)
        if not batch.last:
            time.sleep(min(LONGEST_REST_SECONDS, REST_FACTOR * (time.monotonic() - started)))
        return not batch.last
