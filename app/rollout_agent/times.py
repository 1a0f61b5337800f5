"""Points in time as seconds since 1970, from what Docker and the app write."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

# RFC 3339 with up to nine digits of a second, as Docker's inspect gives it; Python 3.9 reads six and no Z.
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):?(\d\d))?", re.ASCII
)


def seconds_of(text: str) -> float:
    """Return the moment; without a zone it is UTC.

    Raises:
        ValueError: it is no such text.
    """
    found = _MOMENT.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no date and time")
    day, clock, fraction, sign, hours, minutes = found.groups()
    moment = datetime.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        moment += -offset if sign == "+" else offset
    return moment.timestamp() + float(f"0.{fraction or 0}")
