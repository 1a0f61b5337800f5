"""``python -m assistant feedback``: how satisfied people are, and what they told the operators."""

import json
import sys
from datetime import UTC, datetime, timedelta

from assistant.cli.opened_database import CommandError, opened_database
from assistant.store.ratings import Ratings

DAY = 86400.0


def run(*, days: int, as_json: bool) -> int:
    """Print ratings and feedback of the last ``days``; returns the exit status."""
    try:
        with opened_database("feedback") as database:
            ratings = Ratings(database)
            satisfaction, feedback = ratings.satisfaction(days * DAY), ratings.feedback(days * DAY)
    except CommandError as error:
        print(f"feedback: {error}", file=sys.stderr)
        return error.status
    if as_json:
        found = {
            "days": days,
            "ratings": [
                {"channel": s.platform, "ratings": s.ratings, "good": s.good, "csat_percent": s.csat}
                for s in satisfaction
            ],
            "feedback": [{"age_seconds": a, "channel": p, "text": t} for a, p, t in feedback],
        }
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return 0
    print(f"the last {days} days")
    for s in satisfaction:
        print(f"{s.platform}: {s.ratings} ratings, {s.good} of them good (CSAT {s.csat:.0f} %)")
    if not satisfaction:
        print("nobody has rated an answer")
    for age, platform, text in feedback:
        when = datetime.now(UTC) - timedelta(seconds=age)
        # Controls would let a person write over the operator's screen.
        shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
        print(f"\n{when:%Y-%m-%d %H:%M} UTC, {platform}:\n  " + shown.replace("\n", "\n  "))
    if not feedback:
        print("nobody has used /feedback")
    return 0
