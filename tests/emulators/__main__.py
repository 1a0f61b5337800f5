"""Command line: run both emulators until the process is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from tests.emulators.config import ConfigurationError, load
from tests.emulators.feishu import make_feishu_app
from tests.emulators.server import Server
from tests.emulators.telegram import make_telegram_app


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: arguments without the program's name; those of the process when None.

    Returns:
        the exit status: 0 after a stop signal, 1 when the emulators could not start.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.emulators", description="Emulated Feishu and Telegram servers."
    )
    parser.add_argument("--host", default="127.0.0.1", help='address to listen on; "::" is IPv4 and IPv6')
    parser.add_argument("--feishu-port", type=int, required=True, help="TCP port, 0 for a free one")
    parser.add_argument("--telegram-port", type=int, required=True, help="TCP port, 0 for a free one")
    parser.add_argument("--config", type=Path, required=True, help="JSON file, see the README here")
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        config = load(options.config)
        with (
            Server(make_feishu_app(config.feishu), options.host, options.feishu_port) as feishu,
            Server(make_telegram_app(config.telegram), options.host, options.telegram_port) as telegram,
        ):
            print(f"feishu {feishu.url}\ntelegram {telegram.url}", flush=True)
            stop.wait()
    except (ConfigurationError, OSError) as error:
        print(f"the emulators did not start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
