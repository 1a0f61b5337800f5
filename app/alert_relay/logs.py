"""Logging: one JSON object a line on stderr, without secrets."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any


class JsonLines(logging.Formatter):
    """Turns a record into one line of JSON in which every secret is masked."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        """Mask ``secrets``."""
        super().__init__()
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return ``record`` as one line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": self._masked(record.getMessage()),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["trace"] = self._masked("".join(traceback.format_exception(*record.exc_info))[-4000:])
        return json.dumps(line, ensure_ascii=False)

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def set_up(secrets: Sequence[str]) -> None:
    """Log to stderr, ``secrets`` masked."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("alert_relay").setLevel(logging.INFO)
