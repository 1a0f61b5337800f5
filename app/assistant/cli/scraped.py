"""What a scrape says: sums over labels, and percentiles of latencies."""

import math
import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

TIMEOUT_SECONDS = 5


class Scraped:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        """Read ``text``; raises ValueError where it is not Prometheus' format."""
        self._samples: dict[str, list[Sample]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples.setdefault(sample.name, []).append(sample)

    def has(self, name: str) -> bool:
        """Whether there is such a metric."""
        return name in self._samples

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of all series with ``labels``; 0 without any."""
        return sum(s.value for s in self._samples.get(name, ()) if labels.items() <= s.labels.items())

    def value(self, name: str) -> float | None:
        """Return a metric without labels, None where it is absent."""
        return self.sum(name) if self.has(name) else None

    def by(self, name: str, label: str, **labels: str) -> Mapping[str, float]:
        """Return the sums by the values of ``label``."""
        found: dict[str, float] = {}
        for sample in self._samples.get(name, ()):
            if label in sample.labels and labels.items() <= sample.labels.items():
                found[sample.labels[label]] = found.get(sample.labels[label], 0.0) + sample.value
        return found

    def label(self, name: str, label: str) -> str:
        """Return a label's value in the first series of a metric, empty where it is absent."""
        return next((str(s.labels.get(label, "")) for s in self._samples.get(name, ())), "")

    def percentile(self, name: str, share: float) -> float | None:
        """Return the seconds within which ``share`` of a histogram's events took; None without any.

        Within a bucket they are taken to be spread evenly, as in Prometheus' histogram_quantile; those above
        the last bound count as that bound.
        """
        counts = sorted((_bound(le), count) for le, count in self.by(f"{name}_bucket", "le").items())
        if not counts or not counts[-1][1]:
            return None
        wanted, low, below = share * counts[-1][1], 0.0, 0.0
        for high, count in counts:
            if count >= wanted:
                if math.isinf(high):
                    return low
                return low + (high - low) * (wanted - below) / (count - below) if count > below else high
            low, below = high, count
        return low


def _bound(le: str) -> float:
    return math.inf if le == "+Inf" else float(le)


def scrape(url: str) -> Scraped:
    """Return what ``url`` shows.

    Raises:
        OSError: it does not answer, or not with 200.
        ValueError: it answers with something else than metrics.
    """
    # The address is this container's own: a proxy from the environment must not be asked.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=TIMEOUT_SECONDS) as response:
        return Scraped(response.read().decode("utf-8"))
