"""What an operator cannot ask for: settings of the webhook that contradict each other or lose messages."""

# open.feishu.cn, "Receive events": an event without an answer comes again after 15 s, 5 min, 1 h and 6 h, the
# last time 7 h 5 min after the first. Whether a repetition has a timestamp of its own is not documented.
REPEATED_SECONDS = 8 * 3600


def longer_than_repetitions(seconds: int) -> int:
    """Return ``seconds``, the oldest that a signed event may be; 0 is any age.

    Raises:
        ValueError: the last repetition of an event might be refused, and the message lost.
    """
    if 0 < seconds < REPEATED_SECONDS:
        raise ValueError(
            f"must be 0 (any age) or at least {REPEATED_SECONDS}: Feishu repeats an event for 7 hours, "
            "perhaps with its first timestamp"
        )
    return seconds


def plain_events_problem(scheme: str, max_age_seconds: int, *, has_key: bool) -> str:
    """Return why plain events cannot be taken together with the other settings, or an empty text.

    Args:
        scheme: who signs events.
        max_age_seconds: the oldest that a signed event may be; 0 is any age.
        has_key: whether an Encrypt Key is given.
    """
    if has_key:
        return (
            "must be false while there is an Encrypt Key: events are encrypted and signed then; or remove "
            "the key from the app and the file feishu_encrypt_key"
        )
    if scheme != "feishu":
        return f"must be false with ASSISTANT_FEISHU_SIGNATURE_SCHEME={scheme}, which signs every event"
    if max_age_seconds:
        return "must be false with ASSISTANT_FEISHU_MAX_AGE_SECONDS: a plain event's timestamp proves nothing"
    return ""
