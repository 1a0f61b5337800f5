"""What is counted, for Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)


class _Gauges(Collector):
    def __init__(self, read: Callable[[], dict[str, tuple[str, float]]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        for name, (help_text, value) in self._read().items():
            yield GaugeMetricFamily(name, help_text, value=value)


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        """Make the counters, all at zero."""
        self.registry = CollectorRegistry()
        self.received = Counter(
            "assistant_messages_received", "Messages put into the inbox", ["platform"], registry=self.registry
        )
        self.duplicates = Counter(
            "assistant_messages_duplicate",
            "Messages that were already in the inbox",
            ["platform"],
            registry=self.registry,
        )
        self.refused = Counter(
            "assistant_requests_refused", "Requests refused", ["status"], registry=self.registry
        )
        self.answered = Counter(
            "assistant_messages_answered", "Messages finished", ["platform", "result"], registry=self.registry
        )
        self.delivered = Counter(
            "assistant_replies", "Tries to send a reply", ["platform", "result"], registry=self.registry
        )
        self.rated = Counter(
            "assistant_ratings", "Ratings of answers by people", ["platform", "score"], registry=self.registry
        )
        self.cached = Counter(
            "assistant_answer_cache", "First questions of a conversation", ["result"], registry=self.registry
        )
        self.generation = Histogram(
            "assistant_generation_seconds", "Time to make an answer", registry=self.registry, buckets=BUCKETS
        )
        self.tokens = Counter("assistant_tokens", "Tokens read and written", ["kind"], registry=self.registry)
        self.deleted = Counter(
            "assistant_rows_deleted",
            "Rows deleted because of their age (assistant_retention_days)",
            ["table"],
            registry=self.registry,
        )

    def add_gauges(self, read: Callable[[], dict[str, tuple[str, float]]]) -> None:
        """Show what ``read`` returns at each scrape: name -> (help, value)."""
        self.registry.register(_Gauges(read))
