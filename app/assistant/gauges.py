"""The state that a scrape shows: queues, model, memory, and the loads that the database has counted.

What the database knows is read every two seconds on a thread of its own, so that a scrape waits for no
database and, beside a busy model, for as few turns of the interpreter as can be.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from assistant import __version__
from assistant.inference.backend import Usage
from assistant.logs import Log
from assistant.loops import Background, Loop, Loops
from assistant.metrics.labels import CANDIDATE, STABLE
from assistant.rollout.rules import rules_of
from assistant.store.figures import Figures
from assistant.store.rollout_states import STATES
from assistant.store.rollouts import Rollout

log = Log(__name__)
READ_SECONDS = 2.0
Counts = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Sources:
    """Where the figures come from.

    ``ready`` and ``usage`` are asked at each scrape and return at once; ``figures`` and ``loads`` ask the
    database, and raise SQLAlchemyError where it does not answer; ``memory`` returns used bytes and the limit,
    None for what is not known; ``rollout`` is the newest. ``model`` is the model's name.
    """

    model: str
    ready: Callable[[], bool]
    usage: Callable[[], Usage]
    figures: Callable[[], Figures]
    loads: Callable[[], Counts]
    memory: Callable[[], tuple[int | None, int | None]]
    rollout: Callable[[], Rollout | None] = lambda: None


class Gauges(Background, Collector):
    """Shows the present state at each scrape; what cannot be found out is absent, not 0."""

    def __init__(self, sources: Sources) -> None:
        """Show what ``sources`` say; the database's part from the first reading after ``start``."""
        self._sources = sources
        self._read: tuple[Figures, Counts] | None = None
        self._loops = Loops([Loop("gauges", self.step, idle_seconds=READ_SECONDS)])

    def step(self) -> bool:
        """Read the database once."""
        try:
            self._read = self._sources.figures(), self._sources.loads()
        except SQLAlchemyError as error:
            # Figures from before would look as if all was well.
            self._read = None
            log.warning("the database does not answer; its figures are missing", error=type(error).__name__)
        return False

    def collect(self) -> Iterable[Metric]:
        """Return the state."""
        yield _gauge("assistant_ready", "1 when the model is loaded and warm", float(self._sources.ready()))
        yield _labelled("assistant_build_info", "The version of this program", version=__version__)
        rollout = self._sources.rollout()
        yield _models(self._sources.model, rollout)
        yield from _model(self._sources.usage())
        yield from _memory(*self._sources.memory())
        if self._read is not None:
            figures, counts = self._read
            yield from _queues(figures)
            yield from _rollout(rollout)
            if counts:
                yield _loads(counts)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, **values: str) -> Metric:
    family = GaugeMetricFamily(name, text, labels=list(values))
    family.add_metric(list(values.values()), 1.0)
    return family


def _model(usage: Usage) -> Iterable[Metric]:
    yield _gauge("assistant_batch_rows", "Answers that are being made at the moment", usage.rows)
    yield _gauge("assistant_batch_slots", "Answers that can be made at once", usage.slots)
    if usage.tokens:
        yield _gauge("assistant_kv_tokens_used", "Tokens in the key-value cache", usage.tokens_used)
        yield _gauge("assistant_kv_tokens", "Tokens that the key-value cache has room for", usage.tokens)


def _models(stable: str, rollout: Rollout | None) -> Metric:
    family = GaugeMetricFamily(
        "assistant_model_info", "The models that answer, by arm", labels=["arm", "model"]
    )
    family.add_metric([STABLE, stable], 1)
    if rollout is not None and rollout.active:
        family.add_metric([CANDIDATE, rollout.candidate], 1)
    return family


def _rollout(rollout: Rollout | None) -> Iterable[Metric]:
    family = GaugeMetricFamily(
        "assistant_rollout_state", "1 for the newest rollout's state, 0 for all others", labels=["state"]
    )
    for state in STATES:
        family.add_metric([state], float(rollout is not None and rollout.state == state))
    yield family
    share = rules_of(rollout.rules).share if rollout is not None and rollout.active else 0.0
    yield _gauge("assistant_rollout_share", "The candidate's share of the conversations, 0 to 1", share)
    yield _gauge(
        "assistant_rollout_elapsed_seconds",
        "How long the newest rollout has run, without pauses",
        rollout.elapsed if rollout is not None else 0.0,
    )


def _memory(used: int | None, limit: int | None) -> Iterable[Metric]:
    if used is not None:
        yield _gauge(
            "assistant_memory_bytes", "Memory of the container, without files that can be dropped", used
        )
    if limit is not None:
        yield _gauge("assistant_memory_limit_bytes", "The container's memory limit", limit)


def _queues(figures: Figures) -> Iterable[Metric]:
    yield _gauge("assistant_inbox_waiting", "Messages that are not answered yet", figures.inbox_waiting)
    yield _gauge(
        "assistant_inbox_oldest_seconds", "How long the oldest of them waits", figures.inbox_oldest_seconds
    )
    yield _gauge("assistant_outbox_waiting", "Replies that are not sent yet", figures.outbox_waiting)
    yield _gauge(
        "assistant_outbox_oldest_seconds", "How long the oldest of them waits", figures.outbox_oldest_seconds
    )
    yield _gauge("assistant_dead_letters", "Messages and replies given up", figures.dead_letters)


def _loads(counts: Counts) -> Metric:
    family = CounterMetricFamily(
        "assistant_model_loads_total", "Loads of a model, kept in the database", labels=["model", "result"]
    )
    for model, (successes, failures) in sorted(counts.items()):
        family.add_metric([model, "success"], successes)
        family.add_metric([model, "failure"], failures)
    return family
