"""The date filter's formats, as far as the pipelines use them."""

from __future__ import annotations

import datetime
import re
from zoneinfo import ZoneInfo

from tests.logging.logstash.language import PipelineError

# Letters of Joda-Time's patterns (https://www.joda.org/joda-time/apidocs/org/joda/time/format/DateTimeFormat.html)
# and what Python's strptime calls the same.
_JODA = {
    "yyyy": "%Y",
    "YYYY": "%Y",
    "MM": "%m",
    "MMM": "%b",
    "dd": "%d",
    "d": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
    "SSS": "%f",
    "SSSSSS": "%f",
    "ZZ": "%z",
    "Z": "%z",
}
_PARTS = re.compile(r"'([^']*)'|([A-Za-z])\2*|[^A-Za-z']+")


def _strptime(pattern: str) -> str:
    made = ""
    for found in _PARTS.finditer(pattern):
        text = found.group()
        if text.startswith("'"):
            made += found.group(1).replace("%", "%%") or "'"
        elif text[0].isalpha():
            if text not in _JODA:
                raise PipelineError(f"the date format {pattern}: {text} is not understood here")
            made += _JODA[text]
        else:
            made += text.replace("%", "%%")
    return made


def parsed(value: object, format_: str, timezone: str) -> datetime.datetime | None:
    """Return the time that ``value`` says in a format of the date filter, None where it is in another.

    Args:
        value: A text or a number.
        format_: ISO8601, UNIX, UNIX_MS or a pattern of Joda-Time.
        timezone: That of values which name none.

    Raises:
        PipelineError: The format is not understood here.
    """
    try:
        if format_ == "ISO8601":
            if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", value):
                return None
            # Joda-Time takes more than six decimals of a second and forgets them.
            moment = datetime.datetime.fromisoformat(re.sub(r"([.,]\d{6})\d+", r"\1", value))
        elif format_ in ("UNIX", "UNIX_MS"):
            seconds = float(str(value)) / (1000 if format_ == "UNIX_MS" else 1)
            return datetime.datetime.fromtimestamp(round(seconds, 6), datetime.UTC)
        else:
            moment = datetime.datetime.strptime(str(value), _strptime(format_))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
