"""The pace of long work on the database beside a live service."""

import time

# SQLite has one writer at a time: between two batches it belongs to the messages that come in.
REST_FACTOR = 4.0
LONGEST_REST_SECONDS = 2.0


def rest_after(seconds: float) -> None:
    """Wait before the next batch, after one that took ``seconds``."""
    time.sleep(min(LONGEST_REST_SECONDS, REST_FACTOR * seconds))
