"""Logging: one JSON object a line in the Elastic Common Schema, never what people wrote.

Names of events, numbers and states; the fields are in ``log_fields``. An operator may ask for people's words
as well (``ASSISTANT_LOG_TEXT``): then they come masked.
"""

import logging
import sys
import traceback
from typing import Any

from ecs_logging import StdlibFormatter

from assistant import __version__, correlation
from assistant.log_fields import named

# Other libraries put addresses with tokens, SQL parameters and payloads into their messages.
# Only these loggers may speak freely; of the rest the place is kept and the text is dropped.
TRUSTED = ("assistant", "gunicorn")
FRAMES = 8
# Of a text that an operator wants to see, so many characters.
SHOWN_CHARACTERS = 2000
_SERVICE = {
    "service.name": "ai-assistant",
    "service.version": __version__,
    "event.dataset": "ai-assistant.app",
}
_LEFT_OUT = (
    "log.original",
    "log.origin",
    "process.pid",
    "process.name",
    "process.thread.id",
    "error.message",
)
# Whether people's words are logged, masked; an operator's choice for the whole process.
_shows_text = False


class EcsLines(StdlibFormatter):
    """Turns a record into one line of JSON.

    An exception is reduced to its type and the places it passed through: its message may quote a user.
    """

    def __init__(self) -> None:
        """Say who logs, and leave out what could hold a text."""
        super().__init__(extra=dict(_SERVICE), exclude_fields=_LEFT_OUT, ensure_ascii=False)

    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return ``record`` as nested fields; of a library's record only its place."""
        trusted = record.name.split(".")[0] in TRUSTED
        words = record.getMessage() if trusted else "message of a library"
        # Another record: a library's own may carry arguments and extra fields.
        safe = logging.LogRecord(record.name, record.levelno, "", 0, words, (), record.exc_info)
        safe.created, safe.msecs, safe.threadName = record.created, record.msecs, record.threadName
        fields = named(words, getattr(record, "fields", {})) if trusted else {}
        if trace_id := correlation.current():
            fields["trace.id"] = trace_id
        safe.__dict__.update(fields)
        line = super().format_to_ecs(safe)
        if not trusted:
            line["log"]["origin"] = {"file": {"name": record.filename, "line": record.lineno}}
        return line

    def _record_error_stack_trace(self, record: logging.LogRecord) -> str | None:
        if not record.exc_info or record.exc_info[2] is None:
            return None
        frames = traceback.extract_tb(record.exc_info[2])[-FRAMES:]
        return "\n".join(f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in frames)


class Log:
    """A logger whose calls are an event's name and its fields.

    Give numbers, states and names of settings. Never give text, names or ids of people, or tokens; for what
    people wrote there is ``said``.
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


def said(text: str) -> dict[str, str]:
    """Return the field for what somebody wrote: nothing, or the masked text where the operator wants it."""
    if not _shows_text:
        return {}
    # Phone numbers of all countries take memory that nobody else needs.
    from assistant.masking import mask

    return {"text": mask(text, SHOWN_CHARACTERS)}


def log_config(level: str, *, text: bool = False) -> dict[str, Any]:
    """Return the ``logging.config`` dictionary for ``level`` (debug, info, warning or error).

    ``text`` says for the whole process whether ``said`` shows anything.
    """
    global _shows_text
    _shows_text = text
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"ecs": {"()": "assistant.logs.EcsLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "ecs"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "assistant": {"level": level.upper()},
            "gunicorn.error": {"level": level.upper(), "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        },
    }
