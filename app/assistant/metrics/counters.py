"""The counters and latencies of one process. docs/metrics.md has the same as a table."""

from itertools import product
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics

from assistant.metrics import labels
from assistant.metrics.arrivals import Arrival
from assistant.metrics.labels import channel_of

Made = TypeVar("Made", Counter, Histogram)
# Seconds. 0.5 and 1.2 are bounds of their own, so that a share or a percentile near them is exact:
# the first is what an acknowledgement may take, and the first words of an answer are late after the second.
ACK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.2, 2.5, 5.0)
ANSWER_BUCKETS = (0.1, 0.25, 0.5, 0.8, 1.2, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 300.0)

# The time at which each series began: a third more lines in each answer, and Prometheus does not use it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client has no types there


class Metrics:
    """The counters of one process, in a registry of their own.

    All series are there from the beginning, with 0: what was never counted is not the same as what is
    unknown, and Prometheus does not see a counter's first step if the series begins with it.
    """

    def __init__(self) -> None:
        """Make them, all at zero."""
        self.registry = CollectorRegistry()
        channels = tuple(labels.CHANNELS.values())
        self.requests = self._counter(
            "assistant_requests_total",
            "What came in, by what became of it at once",
            channel=channels,
            outcome=labels.ARRIVALS,
        )
        self.messages = self._counter(
            "assistant_messages_total",
            "Messages that are finished, by how they ended",
            channel=channels,
            outcome=labels.MESSAGES,
            arm=labels.ARMS,
        )
        self.replies = self._counter(
            "assistant_replies_total",
            "Tries to send a reply to a platform",
            channel=labels.SENT_TO,
            outcome=labels.REPLIES,
        )
        self.tokens = self._counter(
            "assistant_tokens_total", "Tokens read and written", kind=labels.TOKENS, arm=labels.ARMS
        )
        self.answer_cache = self._counter(
            "assistant_answer_cache_total",
            "First questions of a conversation, by whether their answer was known",
            result=(labels.HIT, labels.MISS),
        )
        self.engine_errors = self._counter(
            "assistant_engine_errors_total",
            "Answers that the model could not make at a try",
            arm=labels.ARMS,
            kind=labels.ENGINE_ERRORS,
        )
        self.ratings = self._counter(
            "assistant_ratings_total",
            "Ratings of answers by people",
            channel=channels,
            score=(labels.GOOD, labels.BAD),
            arm=labels.ARMS,
        )
        self.rows_deleted = self._counter(
            "assistant_rows_deleted_total",
            "Rows deleted because of their age (assistant_retention_days)",
            table=labels.TABLES,
        )
        self.http_responses = self._counter(
            "assistant_http_responses_total",
            "HTTP responses to people and programs, without those to health checks and scrapes",
            code=labels.CODES,
        )
        self.ack = self._histogram(
            "assistant_ack_seconds",
            "From a message's arrival until it was committed and its sender was told so",
            ACK_BUCKETS,
            channel=channels,
        )
        self.answer = self._histogram(
            "assistant_answer_seconds",
            "From a message's arrival until its whole answer was handed to its channel",
            ANSWER_BUCKETS,
            channel=channels,
            arm=labels.ARMS,
        )
        self.cached_answer = self._histogram(
            "assistant_cached_answer_seconds",
            "The same for the answers that were known already",
            ANSWER_BUCKETS,
            channel=channels,
        )
        self.first_token = self._histogram(
            "assistant_time_to_first_token_seconds",
            "From a question's way to the model until its answer's first words",
            ANSWER_BUCKETS,
            arm=labels.ARMS,
        )
        self.generation = self._histogram(
            "assistant_generation_seconds",
            "From a question's way to the model until its answer's end",
            ANSWER_BUCKETS,
            arm=labels.ARMS,
        )
        ProcessCollector(registry=self.registry)

    def arrival(self, platform: str) -> Arrival:
        """Return a block for what came in by ``platform``: how it ends is counted, and how long it took."""
        return Arrival(channel_of(platform), self._arrived)

    def _arrived(self, channel: str, outcome: str, seconds: float) -> None:
        self.requests.labels(channel, outcome).inc()
        if outcome in labels.ACKNOWLEDGED:
            self.ack.labels(channel).observe(seconds)

    def ended(self, platform: str, outcome: str, arm: str = labels.STABLE) -> None:
        """Count a finished message."""
        self.messages.labels(channel_of(platform), outcome, arm).inc()

    def handed_over(self, platform: str, arm: str, seconds: float, *, cached: bool) -> None:
        """Count the ``seconds`` from a message's arrival until its answer was with its channel."""
        channel = channel_of(platform)
        self.answer.labels(channel, arm).observe(seconds)
        if cached:
            self.cached_answer.labels(channel).observe(seconds)

    def _counter(self, name: str, text: str, **values: tuple[str, ...]) -> Counter:
        return _complete(Counter(name, text, list(values), registry=self.registry), values)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], **values: tuple[str, ...]
    ) -> Histogram:
        made = Histogram(name, text, list(values), registry=self.registry, buckets=buckets)
        return _complete(made, values)


def _complete(metric: Made, values: dict[str, tuple[str, ...]]) -> Made:
    for combination in product(*values.values()):
        metric.labels(*combination)
    return metric
