"""The housekeeper: deletes, in the background, what is older than it may be."""

import time

from assistant.logs import Log
from assistant.loops import Background, Loop, Loops
from assistant.metrics import Metrics
from assistant.store import Retention
from assistant.store.batches import rest_after

log = Log(__name__)
HOUR = 3600.0


class Housekeeper(Background):
    """Works through what is too old once an hour, in small batches with a rest after each."""

    def __init__(self, retention: Retention, metrics: Metrics) -> None:
        """Delete what ``retention`` finds, and count it in ``metrics``."""
        self._retention, self._metrics = retention, metrics
        self._loops = Loops([Loop("housekeeper", self.step, idle_seconds=HOUR)])

    def step(self) -> bool:
        """Delete one batch; returns whether there may be more."""
        started = time.monotonic()
        batch = self._retention.delete_batch()
        for table, rows in batch.rows.items():
            if rows:
                self._metrics.rows_deleted.labels(table).inc(rows)
        if any(batch.rows.values()):
            log.info("deleted what was too old", deleted=batch.rows)
        if not batch.last:
            rest_after(time.monotonic() - started)
        return not batch.last
