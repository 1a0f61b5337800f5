"""What gunicorn runs: ``gunicorn --workers 1 --threads 4 "alert_relay.wsgi:create()"``."""

from __future__ import annotations

import atexit
import sqlite3
import sys

from flask import Flask

from alert_relay.config import ConfigError, default_path, load
from alert_relay.logs import set_up
from alert_relay.relay import Relay
from alert_relay.web import make_app

_BOOT_ERROR = 4  # gunicorn.errors.AppImportError's: the master ends too, and systemd shows the reason


def create() -> Flask:
    """Return the application of a relay that runs."""
    try:
        config = load(default_path())
        set_up(config.secrets())
        relay = Relay(config)
    except ConfigError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(_BOOT_ERROR)
    except (sqlite3.Error, OSError) as error:
        print(
            f"the outbox {config.database} cannot be opened: {error}; see the folder's owner and free space",
            file=sys.stderr,
            flush=True,
        )
        sys.exit(_BOOT_ERROR)
    relay.start()
    atexit.register(relay.stop)
    return make_app(relay)
