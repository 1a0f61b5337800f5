"""gunicorn: one process that owns the model, many threads that wait for the network."""

import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from gunicorn.errors import HaltServer

from assistant.logs import log_config
from assistant.settings import BOOT_ERROR, SettingsError, load_settings

try:
    _settings = load_settings()
except SettingsError as error:
    # Here, before anything is forked: one line and not a traceback.
    print(error, file=sys.stderr)
    sys.exit(1)

# One byte that master and worker share, 1 while the worker loads the model: llama.cpp ends the process on
# some damaged files, and then only the master can still say so.
_loading = mmap.mmap(-1, 1)

# The database holds what people wrote.
os.umask(0o077)

wsgi_app = "assistant.wsgi:create_app()"
bind = os.environ.get("GUNICORN_BIND", "0.0.0.0:8000")
# One worker: it holds the model in memory and is the only one that decodes.
workers = 1
worker_class = "gthread"
# An API call, one that waits for another's answer, and an answer that a page is shown word by word hold a
# thread until they end; 16 stay free for the webhooks and all else.
threads = 16 + _settings.api_calls + _settings.api_followers + _settings.web_chat_streams
# The heartbeat's file is written all the time; /dev/shm is memory also where /tmp is a disk.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - the heartbeat's file has no name there
control_socket_disable = True
# What a gthread worker's heartbeat watches is its main loop, not a request: an answer may take longer.
timeout = 60
graceful_timeout = 20
# So long before, who still waits is told so. gunicorn keeps their connections for two seconds more, and the
# background threads have the rest for their end.
_FAREWELL_SECONDS = 7
keepalive = 5
logconfig_dict = log_config(_settings.log_level, text=_settings.log_text)


def post_worker_init(worker: Any) -> None:
    """Start the background threads in the process that serves: threads do not survive a fork."""
    from assistant.wsgi import model_loaded, start_background

    if not _settings.backend_url:
        _loading[0] = 1
        threading.Thread(target=_note_loaded, args=(worker, model_loaded), name="loaded", daemon=True).start()
    start_background()
    _heed_the_stop(worker)


def _heed_the_stop(worker: Any) -> None:
    """Tell the application that the worker is to end: gunicorn has no hook for it."""
    from assistant.wsgi import close_in

    gunicorns: Any = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: Any) -> None:
        close_in(max(0, worker.cfg.graceful_timeout - _FAREWELL_SECONDS))
        gunicorns(number, frame)

    signal.signal(signal.SIGTERM, stop)
    # As gunicorn has it: the signal cuts no request's system call off.
    signal.siginterrupt(signal.SIGTERM, False)


def _note_loaded(worker: Any, loaded: Callable[[], bool]) -> None:
    while not loaded():
        time.sleep(0.2)
    _loading[0] = 0
    worker.log.debug("the model is loaded")


def worker_exit(server: Any, worker: Any) -> None:
    """Stop them after the last request: a message in mid-answer is given back at once."""
    del server, worker
    # It ends in an orderly way.
    _loading[0] = 0
    from assistant.wsgi import stop_background

    stop_background()


def child_exit(server: Any, worker: Any) -> None:
    """In the master: end with the reason where the worker died of the model; another try would die too."""
    # Without sockets the master is stopping.
    if not _loading[0] or not server.LISTENERS:
        return
    server.log.error(
        "MODEL_PATH: the process (pid %s) died while it loaded %s. llama.cpp's last words, if any, are above:"
        " a GGML_ASSERT or a segmentation fault means a damaged file; killed means too little memory. "
        "Compare the file's SHA-256 with its publisher's, give another (assistant_model_file, model_file), "
        "go back with playbooks/model.yml -e rollback=true, or raise assistant_memory_limit.",
        worker.pid,
        _settings.model_path,
    )
    raise HaltServer("the worker died while it loaded the model", BOOT_ERROR)
