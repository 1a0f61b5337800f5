"""The metrics and their page, and what an arrival is counted as."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from sqlalchemy.exc import OperationalError

from assistant.gauges import Gauges, Sources
from assistant.inference.backend import Usage
from assistant.inference.host import container_memory
from assistant.metrics import Metrics, labels
from assistant.metrics.arrivals import acknowledged, committed
from assistant.store.figures import Figures
from tests.unit.app.test_host import GB, host

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
FIGURES = Figures(3, 4.0, 5, 6.0, 7)


def everything() -> Iterator[Metric]:
    """All families that a process can show."""
    metrics = Metrics()
    sources = Sources(
        model="m",
        ready=lambda: True,
        usage=lambda: Usage(1, 4, 100, 1000),
        figures=lambda: FIGURES,
        loads=lambda: {"m": (2, 1)},
        memory=lambda: (10, 20),
    )
    gauges = Gauges(sources)
    gauges.step()
    metrics.registry.register(gauges)
    yield from metrics.registry.collect()


def row(metric: Metric) -> str:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    (names,) = {tuple(sorted(set(s.labels) - {"le"})) for s in metric.samples}
    return f"| `{name}` | {metric.type} | {', '.join(names)} | {metric.documentation} |"


def test_the_page_and_the_code_say_the_same() -> None:
    own = {row(m) for m in everything() if m.name.startswith("assistant_")}
    assert {line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `assistant_")} == own


def test_the_page_gives_the_values_that_labels_may_have() -> None:
    text = PAGE.read_text("utf-8")
    values = {
        "channel": tuple(labels.CHANNELS.values()),
        "outcome of requests": labels.ARRIVALS,
        "outcome of messages": labels.MESSAGES,
        "outcome of replies": labels.REPLIES,
        "kind of errors": labels.ENGINE_ERRORS,
        "table": labels.TABLES,
        "code": labels.CODES,
    }
    for name, allowed in values.items():
        assert f"| {name} | {', '.join(allowed)} |" in text, name


def test_what_the_database_cannot_say_is_absent() -> None:
    def away() -> Figures:
        raise OperationalError("x", {}, Exception())

    gauges = Gauges(Sources("m", lambda: False, lambda: Usage(0, 4), away, dict, lambda: (None, None)))
    gauges.step()
    names = {m.name for m in gauges.collect()}
    assert names == {
        "assistant_ready",
        "assistant_build_info",
        "assistant_model_info",
        "assistant_batch_rows",
        "assistant_batch_slots",
    }


def sample(registry: CollectorRegistry, name: str, **values: str) -> float:
    return registry.get_sample_value(name, values) or 0.0


@pytest.mark.parametrize(("new", "outcome"), [(True, "accepted"), (False, "duplicate"), (None, "ignored")])
def test_an_arrival_is_counted_once_by_what_became_of_it(new: bool | None, outcome: str) -> None:
    metrics = Metrics()
    with metrics.arrival("web_chat"):
        if new is not None:
            committed(new=new)
            acknowledged()
    # Outside of it nothing is counted.
    committed(new=True)
    assert sample(metrics.registry, "assistant_requests_total", channel="web", outcome=outcome) == 1
    assert sample(metrics.registry, "assistant_ack_seconds_count", channel="web") == 1


def test_a_fault_is_an_error_and_no_acknowledgement() -> None:
    metrics = Metrics()
    with pytest.raises(ZeroDivisionError), metrics.arrival("feishu"):
        raise ZeroDivisionError
    assert sample(metrics.registry, "assistant_requests_total", channel="feishu", outcome="error") == 1
    assert sample(metrics.registry, "assistant_ack_seconds_count", channel="feishu") == 0


def test_memory_of_a_container(tmp_path: Path) -> None:
    two = host(
        tmp_path / "v2",
        "0::/\n",
        memoryDOTcurrent=f"{3 * GB}\n",
        memoryDOTmax=f"{4 * GB}\n",
        memoryDOTstat=f"anon {GB}\nfile {2 * GB}\ninactive_file {GB}\n",
    )
    assert container_memory(two) == (2 * GB, 4 * GB)
    one = host(
        tmp_path / "v1",
        "4:memory:/docker/0123\n",
        memory__memoryDOTusage_in_bytes=f"{3 * GB}\n",
        memory__memoryDOTlimit_in_bytes=f"{2**63 - 4096}\n",
        memory__memoryDOTstat=f"inactive_file 5\ntotal_rss {GB}\ntotal_inactive_file {GB}\n",
    )
    assert container_memory(one) == (2 * GB, None), "a limit above what the host has is none"
    assert container_memory(host(tmp_path / "none", "0::/\n")) == (None, None)
