"""How the candidate's process is: its /readyz and /metrics, looked at now and then."""

import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit, urlunsplit

import httpx

from assistant.rollout.judge import Health
from assistant.rollout.rules import Rules

SECONDS = 3.0
MEMORY, LIMIT = "assistant_memory_bytes", "assistant_memory_limit_bytes"
STARTED = "process_start_time_seconds"
WANTED = frozenset({MEMORY, LIMIT, STARTED})
# A process's start is given in whole ticks of the kernel's clock.
SAME_START_SECONDS = 1.0


class Probe:
    """Looks at one candidate, for one rollout."""

    def __init__(
        self,
        url: str,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at the service whose API is at ``url``."""
        parts = urlsplit(url)
        root = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        # On the containers' own network: no proxy from the environment.
        self._http = httpx.Client(base_url=root, timeout=SECONDS, trust_env=False, transport=transport)
        self._clock, self._begun = clock, clock()
        self._since = self._begun
        self._ready_at: float | None = None
        self._metrics_at: float | None = None
        self._figures: Mapping[str, float] = {}
        self._started: float | None = None
        self._restarted = False

    @property
    def ready(self) -> bool:
        """Whether it has said once that it is ready."""
        return self._ready_at is not None

    def take_over(self) -> None:
        """Begin to look where another process did so till now: what was not seen meanwhile is no absence."""
        self._since = self._clock()

    def look(self) -> None:
        """Look once; takes a few seconds where it does not answer."""
        if self._get("/readyz") is not None:
            self._ready_at = self._clock()
        text = self._get("/metrics")
        if text is None:
            return
        figures = read_figures(text)
        self._metrics_at, self._figures = self._clock(), figures
        if (started := figures.get(STARTED)) is not None:
            if self._started is not None and abs(started - self._started) > SAME_START_SECONDS:
                self._restarted = True
            self._started = started

    def health(self, rules: Rules) -> Health:
        """Return what was found; a candidate that was not ready yet has ``load_seconds`` to become so.

        That is so in a process of the stable model that has just begun: after a reboot both begin together.
        """
        now = self._clock()
        loading = self._ready_at is None and now - self._begun < rules.load_seconds
        return Health(
            away_seconds=0.0 if loading else now - max(self._since, self._ready_at or 0.0),
            metrics_age_seconds=0.0 if loading else now - max(self._since, self._metrics_at or 0.0),
            memory_bytes=self._figures.get(MEMORY),
            memory_limit_bytes=self._figures.get(LIMIT),
            restarted=self._restarted,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _get(self, path: str) -> str | None:
        try:
            response = self._http.get(path)
        except httpx.HTTPError:
            return None
        return response.text if response.status_code == 200 else None


def read_figures(text: str) -> dict[str, float]:
    """Return those metrics without labels that are looked at, out of a scrape's ``text``."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name in WANTED:
            try:
                found[name] = float(value)
            except ValueError:
                continue
    return found
