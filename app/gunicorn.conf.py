"""gunicorn: one process that owns the model, many threads that wait for the network."""

import os
import sys
from typing import Any

from assistant.logs import log_config
from assistant.settings import SettingsError, load_settings

try:
    _settings = load_settings()
except SettingsError as error:
    # Here, before anything is forked: one line and not a traceback.
    print(error, file=sys.stderr)
    sys.exit(1)

# The database holds what people wrote.
os.umask(0o077)

wsgi_app = "assistant.wsgi:create_app()"
bind = os.environ.get("GUNICORN_BIND", "0.0.0.0:8000")
# One worker: it holds the model in memory and is the only one that decodes.
workers = 1
worker_class = "gthread"
# An API call holds a thread until its answer is there; 16 stay free for the webhooks and the web chat.
threads = 16 + _settings.api_calls
# The heartbeat's file is written all the time; /dev/shm is memory also where /tmp is a disk.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - the heartbeat's file has no name there
control_socket_disable = True
# What a gthread worker's heartbeat watches is its main loop, not a request: an answer may take longer.
timeout = 60
graceful_timeout = 20
keepalive = 5
logconfig_dict = log_config(_settings.log_level)


def post_worker_init(worker: Any) -> None:
    """Start the background threads in the process that serves: threads do not survive a fork."""
    del worker
    from assistant.wsgi import start_background

    start_background()


def worker_exit(server: Any, worker: Any) -> None:
    """Stop them after the last request: a message in mid-answer is given back at once."""
    del server, worker
    from assistant.wsgi import stop_background

    stop_background()
