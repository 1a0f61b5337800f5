"""When a try is repeated, and after how long.

tenacity rather than own code: it is small, well kept, and waits on asyncio. stamina, which is built on it,
knows no full jitter.
"""

import random

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, stop_before_delay
from tenacity.stop import stop_any

from assistant.inference.remote.answering import Answer
from assistant.inference.remote.errors import RateLimited, Unavailable
from assistant.logs import Log

log = Log(__name__)
TRIES = 4
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 20.0


def pause(state: RetryCallState) -> float:
    """Return how many seconds to wait: what the endpoint asks for, and fully jittered exponential backoff."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, RateLimited | Unavailable) else None
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (state.attempt_number - 1))
    return (asked or 0.0) + random.uniform(0, longest)  # noqa: S311 - it spreads load, it guards nothing


def retrying(answer: Answer, seconds: float) -> AsyncRetrying:
    """Return what repeats a try, within ``seconds``.

    Only what is transient (no connection, 429, 502, 503, 504) is repeated, and only while the caller has read
    nothing: another answer would begin with other words.
    """

    def again(error: BaseException) -> bool:
        return isinstance(error, RateLimited | Unavailable) and not answer.spoken

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("the endpoint is asked again", error=str(error), seconds=round(state.upcoming_sleep, 2))

    return AsyncRetrying(
        retry=retry_if_exception(again),
        wait=pause,
        stop=stop_any(stop_after_attempt(TRIES), stop_before_delay(max(0.0, seconds))),
        before_sleep=tell,
        reraise=True,
    )
