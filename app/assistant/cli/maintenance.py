"""``python -m assistant maintenance``: questions are refused politely while operators do their work."""

import sys
from datetime import UTC, datetime

from assistant.cli.opened_database import CommandError, opened_database
from assistant.store.switches import MAINTENANCE, Switches


def run(action: str) -> int:
    """Turn maintenance on or off (``action``), or show it; returns the exit status.

    All processes that share the database follow within two seconds.
    """
    try:
        with opened_database(f"maintenance {action}", keys_must_fit=False) as database:
            switches = Switches(database)
            if action != "status":
                switches.turn(MAINTENANCE, on=action == "on")
            since = switches.on_since(MAINTENANCE)
    except CommandError as error:
        print(f"maintenance: {error}", file=sys.stderr)
        return error.status
    if since is None:
        print("maintenance is off: questions are answered")
    else:
        began = datetime.fromtimestamp(since, UTC)
        print(
            f"maintenance is on since {began:%Y-%m-%d %H:%M} UTC: questions get a polite refusal, commands "
            "and administrators are answered"
        )
    return 0
