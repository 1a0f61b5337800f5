"""Logging: one JSON object a line, with names of events and numbers, never what people wrote."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

# Other libraries put addresses with tokens, SQL parameters and payloads into their messages.
# Only these loggers may speak freely; of the rest the place is kept and the text is dropped.
TRUSTED = ("assistant", "gunicorn")


class JsonLines(logging.Formatter):
    """Turns a record into one line of JSON.

    An exception is reduced to its type and the places it passed through: its message may quote a user.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return ``record`` as one line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if record.name.split(".")[0] in TRUSTED:
            line["event"] = record.getMessage()
        else:
            line["event"] = "message of a library"
            line["at"] = f"{record.filename}:{record.lineno}"
        line.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0] is not None:
            frames = traceback.extract_tb(record.exc_info[2])
            line["error"] = record.exc_info[0].__name__
            line["trace"] = [f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in frames[-8:]]
        return json.dumps(line, ensure_ascii=False, default=str)


class Log:
    """A logger whose calls are an event's name and its fields.

    Give numbers, states and names of settings. Never give text, names or ids of people, or tokens.
    """

    def __init__(self, name: str) -> None:
        """Make the logger ``name``."""
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: object) -> None:
        """Log at level debug."""
        self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: object) -> None:
        """Log at level info."""
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: object) -> None:
        """Log at level warning."""
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, **fields: object) -> None:
        """Log at level error."""
        self._logger.error(event, extra={"fields": fields})

    def exception(self, event: str, **fields: object) -> None:
        """Log at level error with the current exception's type and places."""
        self._logger.error(event, exc_info=True, extra={"fields": fields})


def log_config(level: str) -> dict[str, Any]:
    """Return the ``logging.config`` dictionary for ``level`` (debug, info, warning or error)."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "assistant.logs.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "json"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "assistant": {"level": level.upper()},
            "gunicorn.error": {"level": level.upper(), "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        },
    }
