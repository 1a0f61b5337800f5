"""``python3 -m alert_relay test|check``: by hand, on the monitoring host, as root."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alert_relay.config import Config, ConfigError, default_path, load
from alert_relay.errors import DeliveryError
from alert_relay.logs import set_up
from alert_relay.messages import Words
from alert_relay.relay import channel_of


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        the exit status: 0, or 1 when the configuration is wrong or a chat did not get its test message.
    """
    parser = argparse.ArgumentParser(prog="python3 -m alert_relay", description=__doc__)
    parser.add_argument("--config", type=Path, default=None, help="the configuration file")
    parser.add_argument(
        "what", choices=["test", "check"], help="post a test message to each chat; check the file"
    )
    options = parser.parse_args(arguments)
    try:
        config = load(options.config or default_path())
        set_up(config.secrets())
        if options.what == "check":
            print(f"the configuration is usable: {', '.join(chat.name for chat in config.chats)}")
            return 0
        return _test(config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1


def _test(config: Config) -> int:
    failed = 0
    for chat in config.chats:
        try:
            channel_of(chat, config).send(Words(config).of_test(chat.name))
        except DeliveryError as error:
            failed += 1
            print(f"{chat.name} ({chat.channel}): NOT posted. {error}")
            if error.remedy:
                print(f"  what to do: {error.remedy}")
        else:
            print(f"{chat.name} ({chat.channel}): posted; look into the chat")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
