"""The values that labels may have. All of them stand here: what people send never becomes one.

Prometheus keeps a series for each combination of values for as long as its retention
(prometheus.io/docs/practices/naming, "Labels"), so that each set is closed and small.
"""

# The channels by the platform's name in the database; the web chat's is older than its label.
CHANNELS = {"feishu": "feishu", "telegram": "telegram", "web_chat": "web", "api": "api"}
# Those to which replies are sent; the others fetch theirs.
SENT_TO = ("feishu", "telegram")
# Which model answers: the one in use, or during a rollout the one that may take its place.
STABLE = "stable"
CANDIDATE = "candidate"
ARMS = (STABLE, CANDIDATE)

ACCEPTED, DUPLICATE, IGNORED = "accepted", "duplicate", "ignored"
REJECTED, LIMITED, ERROR = "rejected", "limited", "error"
ARRIVALS = (ACCEPTED, DUPLICATE, IGNORED, REJECTED, LIMITED, ERROR)
# Those that their sender was told are taken care of.
ACKNOWLEDGED = frozenset({ACCEPTED, DUPLICATE, IGNORED})

ANSWERED, CACHED, COMMAND, REFUSED = "answered", "cached", "command", "refused"
FAILED, UNSUPPORTED, CANCELLED = "failed", "unsupported", "cancelled"
MESSAGES = (ANSWERED, CACHED, COMMAND, REFUSED, FAILED, UNSUPPORTED, CANCELLED)

SENT, RETRIED, DEAD = "sent", "retried", "dead"
REPLIES = (SENT, RETRIED, DEAD)

TOKENS = ("prompt", "completion")
HIT, MISS = "hit", "miss"
GOOD, BAD = "good", "bad"
# What an engine's failure was: a request that no try can answer, a model that is away, too many that wait,
# and all else.
ENGINE_ERRORS = ("request", "outage", "queue_full", "engine")
TABLES = (
    "answer_cache_hits",
    "conversations",
    "dead_letters",
    "drafts",
    "feedback",
    "inbox",
    "messages",
    "outbox",
    "pinned_hits",
    "ratings",
    "rollout_answers",
)
CODES = ("2xx", "3xx", "4xx", "5xx")
# Not one of the above: a fault of this program, and never more than this one value.
OTHER = "other"


def channel_of(platform: str) -> str:
    """Return the label of the channel that the database calls ``platform``."""
    return CHANNELS.get(platform, OTHER)


def code_of(status: int) -> str:
    """Return the class of an HTTP status, for example 4xx."""
    return f"{status // 100}xx" if 200 <= status <= 599 else OTHER
