"""Feishu's error codes: which pass by themselves, which need an operator, which are final.

Sources, under open.feishu.cn/document: "Generic error codes" (server-docs/api-call-guide/generic-error-code),
"Frequency control" (server-docs/api-call-guide/frequency-control), and the error tables of "Reply message"
(server-docs/im-v1/message/reply), "Create card entity", "Update card entity" and "Streaming updates of text"
(cardkit-v1/card/create, cardkit-v1/card/update, cardkit-v1/card-element/content).
"""

from collections.abc import Mapping

from assistant.channels.base import PermanentError, SendError, TransientError

# The token has ended or was withdrawn: another call with a new one may work.
INVALID_TOKEN = frozenset({99991661, 99991663, 99991664, 99991665, 99991668, 99991671, 99991677})

# Too many calls: the header says how long to wait; without it these seconds, at least one window of the
# limit.
RATE_LIMITS: Mapping[int, float] = {
    99991400: 5.0,  # 50 a second and 1000 a minute for each API
    230020: 1.0,  # 5 a second for each chat
    11232: 5.0,  # the platform as a whole
    2200: 5.0,  # "usually when an interface is called too often"
}

# They pass: "internal error, try again", "the message is being sent", "the card is in use just now".
PASSING = frozenset(
    {
        1500,
        1503,
        1551,
        1557,
        1642,
        1663,
        1665,
        1668,
        10101,
        10105,
        10500,
        230049,
        200810,
        300000,
        300120,
        300122,
    }
)

# An operator can put these right, and replies must still go out then: they are tried again for a while.
FOR_THE_OPERATOR: Mapping[int, str] = {
    10003: "app id or app secret is missing or malformed: check both",
    10005: "the app is not authorised: check app id and tenant",
    10014: "the app is disabled, or app id and app secret do not belong together",
    10015: "the app secret is wrong",
    99991401: "this host's address is not in the app's IP allow-list",
    99991403: "the month's quota of API calls is used up",
    99991662: "the app is disabled",
    99991672: "the app lacks a permission: see docs/configure.md, grant it and publish a version of the app",
    99991673: "the app is not installed in this tenant",
    99991679: "the app lacks a permission: see docs/configure.md, grant it and publish a version of the app",
    11205: "the app's bot capability is off",
    230006: "the app's bot capability is off",
    230027: "the app lacks a permission: see docs/configure.md, grant it and publish a version of the app",
}
NO_PERMISSION = frozenset({99991672, 99991679, 230027})

# What a person or the chat decides; another try would fail in the same way.
MEANINGS: Mapping[int, str] = {
    230002: "the bot is not in the group",
    230011: "the message was recalled",
    230013: "the person is outside the app's availability",
    230018: "the group's settings forbid it",
    230019: "the topic is gone",
    230022: "the platform found sensitive words",
    230025: "too long",
    230028: "the tenant's data loss prevention refused it",
    230035: "the bot may not speak there",
    230038: "a private chat of another tenant",
    230050: "the message is not visible to the bot",
    230053: "the person has stopped the bot's messages",
    230075: "an encrypted chat",
    230111: "a message that deletes itself",
    232009: "the chat was dissolved",
}

# A card entity that can no longer be changed: unknown, older than 14 days, another app's.
CARD_GONE = frozenset({200740, 200750, 300311})
# What is in the card is refused; 230099 is that of a card that is sent as a message.
CARD_REFUSED = frozenset({10002, 200220, 200860, 230025, 230099, 300301, 300303, 300305, 300307, 300313})
# Text cannot be streamed into the card: it was closed, or 10 minutes are over.
STREAMING_OVER = frozenset({200850, 300309})
OLD_SEQUENCE = 300317
# The chat knows no topics, or the message cannot begin one.
NO_THREADS = frozenset({230071, 230072})

LONGEST_WAIT_SECONDS = 300.0


class Refusal(PermanentError):
    """Feishu refused a call for good; ``code`` is Feishu's own, or the HTTP status where it gave none."""

    def __init__(self, code: int) -> None:
        """Remember ``code``."""
        meaning = MEANINGS.get(code)
        super().__init__(f"feishu code {code}" + (f": {meaning}" if meaning else ""))
        self.code = code


class Unauthorised(TransientError):
    """The access token is not valid (any more)."""


class Misconfigured(TransientError):
    """Something that an operator must put right; ``code`` is Feishu's."""

    def __init__(self, code: int) -> None:
        """Remember ``code``."""
        super().__init__(f"feishu code {code}: {FOR_THE_OPERATOR[code]}")
        self.code = code


def failure(status: int, code: int, headers: Mapping[str, str]) -> SendError | None:
    """Return what an answer of the platform means, or None for a success.

    Args:
        status: the HTTP status.
        code: the ``code`` in the body, or the HTTP status where there is none.
        headers: the answer's headers.
    """
    if status == 429 or code in RATE_LIMITS:
        return TransientError("rate limit", _wait_seconds(code, headers))
    if code in INVALID_TOKEN:
        return Unauthorised(f"feishu code {code}")
    if code in FOR_THE_OPERATOR:
        return Misconfigured(code)
    if code in PASSING:
        return TransientError(f"feishu code {code}")
    if status >= 500 or status == 408:
        return TransientError(f"HTTP {status}")
    return Refusal(code) if code else None


def _wait_seconds(code: int, headers: Mapping[str, str]) -> float:
    try:
        return min(LONGEST_WAIT_SECONDS, max(1.0, float(headers["x-ogw-ratelimit-reset"])))
    except (KeyError, ValueError):
        return RATE_LIMITS.get(code, 5.0)
