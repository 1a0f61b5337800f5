"""What gunicorn loads: ``assistant.wsgi:create_app()``."""

import logging.config
import sys

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from assistant.logs import log_config
from assistant.runtime import Runtime
from assistant.settings import BOOT_ERROR, SettingsError, load_settings
from assistant.store.key_check import WrongKeyError

_runtime: Runtime | None = None


def create_app() -> Flask:
    """Read the settings, bring the database up to date and return the application.

    Background threads do not run yet: ``start_background`` starts them in the process that serves. A wrong
    setting, a database that cannot be used or a key that does not fit it ends the process with one line that
    names it.
    """
    global _runtime
    try:
        settings = load_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(BOOT_ERROR)
    logging.config.dictConfig(log_config(settings.log_level, text=settings.log_text))
    runtime = Runtime(settings)
    try:
        runtime.migrate()
    except WrongKeyError as error:
        print(error, file=sys.stderr)
        sys.exit(BOOT_ERROR)
    except SQLAlchemyError as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        print(
            f"ASSISTANT_DATABASE_URL: the database cannot be used ({kind}): check that it is "
            "reachable, or that the directory of the SQLite file exists and may be written "
            "(example: ASSISTANT_DATABASE_URL=sqlite:////var/lib/ai-assistant/assistant.db)",
            file=sys.stderr,
        )
        sys.exit(BOOT_ERROR)
    _runtime = runtime
    return runtime.app()


def start_background() -> None:
    """Start the background threads of the application that ``create_app`` made in this process."""
    if _runtime is not None:
        _runtime.start()


def model_loaded() -> bool:
    """Whether the model is loaded and has answered once."""
    return _runtime is not None and _runtime.backend.ready


def close_in(seconds: float) -> None:
    """Let nobody wait for an answer any longer in ``seconds``; harmless in a signal's handler."""
    if _runtime is not None:
        _runtime.closing.begin(seconds)


def stop_background() -> None:
    """Stop them; harmless when they do not run."""
    global _runtime
    runtime, _runtime = _runtime, None
    if runtime is not None:
        runtime.stop()
