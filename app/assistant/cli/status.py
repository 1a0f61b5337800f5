"""``python -m assistant status``: whether all is well, in one screen; changes nothing."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from assistant.cli.opened_database import CommandError, opened_database
from assistant.cli.scraped import Scraped, scrape
from assistant.store.model_loads import Failure, failures

HEALTHY, UNHEALTHY, UNREACHABLE = 0, 1, 2
# Above these an operator should look; the alerts begin there, too.
OLDEST_SECONDS = 120.0
MEMORY_SHARE = 0.9
RECENT_SECONDS = 3600.0
FAILURES = 3
MIB = 1 << 20
Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Latency:
    """Seconds since the process began: half of the events took at most ``p50``; None without any event."""

    p50: float | None
    p99: float | None
    count: int


@dataclass(frozen=True)
class Status:
    """All that is shown. Times are in seconds, memory in bytes; what is not known is None.

    ``problems`` are sentences for the operator; without any the assistant is healthy.
    """

    ready: bool
    model: str
    version: str
    uptime_seconds: float | None
    requests: Numbers
    messages: Numbers
    ack: Latency
    answer: Latency
    first_token: Latency
    inbox_waiting: float | None
    inbox_oldest_seconds: float | None
    outbox_waiting: float | None
    outbox_oldest_seconds: float | None
    dead_letters: float | None
    batch_rows: float | None
    batch_slots: float | None
    tokens: Numbers
    cache: Numbers
    memory_bytes: float | None
    memory_limit_bytes: float | None
    failed_loads: list[Failure]
    problems: list[str]


def run(*, url: str, as_json: bool) -> int:
    """Print the state of the assistant whose metrics ``url`` shows; returns the exit status."""
    try:
        scraped = scrape(url)
    except (OSError, ValueError) as error:
        said = f"{url}: {error}; does the container run? docker ps -a --filter name=ai-core"
        if as_json:
            print(json.dumps({"problems": [said]}))
        else:
            print(f"status: {said}", file=sys.stderr)
        return UNREACHABLE
    loads, trouble = _failed_loads()
    status = judge(scraped, loads, trouble, time.time())
    print(json.dumps(asdict(status), indent=2) if as_json else screen(status))
    return UNHEALTHY if status.problems else HEALTHY


def _failed_loads() -> tuple[list[Failure], str]:
    try:
        with opened_database("status", keys_must_fit=False) as database:
            return list(failures(database, FAILURES)), ""
    except CommandError as error:
        return [], str(error)


def judge(scraped: Scraped, loads: list[Failure], trouble: str, now: float) -> Status:
    """Put the status together.

    Args:
        scraped: what the process shows.
        loads: the newest loads of a model that failed.
        trouble: why the database could not be asked, or empty.
        now: seconds since 1970.
    """
    started = scraped.value("process_start_time_seconds")
    used, limit = scraped.value("assistant_memory_bytes"), scraped.value("assistant_memory_limit_bytes")
    status = Status(
        ready=scraped.sum("assistant_ready") == 1,
        model=scraped.label("assistant_model_info", "model"),
        version=scraped.label("assistant_build_info", "version"),
        uptime_seconds=None if started is None else max(0.0, now - started),
        requests=scraped.by("assistant_requests_total", "outcome"),
        messages=scraped.by("assistant_messages_total", "outcome"),
        ack=_latency(scraped, "assistant_ack_seconds"),
        answer=_latency(scraped, "assistant_answer_seconds"),
        first_token=_latency(scraped, "assistant_time_to_first_token_seconds"),
        inbox_waiting=scraped.value("assistant_inbox_waiting"),
        inbox_oldest_seconds=scraped.value("assistant_inbox_oldest_seconds"),
        outbox_waiting=scraped.value("assistant_outbox_waiting"),
        outbox_oldest_seconds=scraped.value("assistant_outbox_oldest_seconds"),
        dead_letters=scraped.value("assistant_dead_letters"),
        batch_rows=scraped.value("assistant_batch_rows"),
        batch_slots=scraped.value("assistant_batch_slots"),
        tokens=scraped.by("assistant_tokens_total", "kind"),
        cache=scraped.by("assistant_answer_cache_total", "result"),
        memory_bytes=used,
        memory_limit_bytes=limit,
        failed_loads=loads,
        problems=[],
    )
    status.problems.extend(_problems(status, trouble, now))
    return status


def _latency(scraped: Scraped, name: str) -> Latency:
    return Latency(
        scraped.percentile(name, 0.5), scraped.percentile(name, 0.99), int(scraped.sum(f"{name}_count"))
    )


def _problems(status: Status, trouble: str, now: float) -> list[str]:
    used, limit = status.memory_bytes, status.memory_limit_bytes
    recent = [load for load in status.failed_loads if now - load.began_at < RECENT_SECONDS]
    found = {
        "the model is not ready: docker logs ai-core": not status.ready,
        "the database does not answer: docker logs ai-core": status.inbox_waiting is None,
        f"the oldest message waits {_seconds(status.inbox_oldest_seconds)}: docs/scale.md": (
            status.inbox_oldest_seconds or 0
        )
        > OLDEST_SECONDS,
        f"the oldest reply waits {_seconds(status.outbox_oldest_seconds)}: is the platform reached?": (
            status.outbox_oldest_seconds or 0
        )
        > OLDEST_SECONDS,
        f"{status.dead_letters or 0:.0f} given up: python3 -m assistant inbox list": bool(
            status.dead_letters
        ),
        "memory is near its limit: assistant_memory_limit": bool(limit)
        and (used or 0) > MEMORY_SHARE * (limit or 0),
        f"{len(recent)} loads of the model failed within the hour": bool(recent),
        trouble: bool(trouble),
    }
    return [text for text, holds in found.items() if holds]


def screen(status: Status) -> str:
    """Return the status as a text for a terminal."""
    rows = [
        ("state", "READY" if status.ready else "NOT READY"),
        ("model", f"{status.model}, version {status.version}, up {_seconds(status.uptime_seconds)}"),
        ("requests", _numbers(status.requests)),
        ("messages", _numbers(status.messages)),
        ("acknowledged", _percentiles(status.ack)),
        ("answered", _percentiles(status.answer)),
        ("first words", _percentiles(status.first_token)),
        ("inbox", _queue(status.inbox_waiting, status.inbox_oldest_seconds)),
        ("outbox", _queue(status.outbox_waiting, status.outbox_oldest_seconds)),
        ("given up", _number(status.dead_letters)),
        ("model busy", f"{_number(status.batch_rows)} of {_number(status.batch_slots)} answers at once"),
        ("tokens", _numbers(status.tokens)),
        ("answer cache", _numbers(status.cache)),
        ("memory", _memory(status.memory_bytes, status.memory_limit_bytes)),
    ]
    for load in status.failed_loads:
        began = datetime.fromtimestamp(load.began_at, UTC)
        rows.append(("failed load", f"{load.model}, {began:%Y-%m-%d %H:%M} UTC: {load.reason}"))
    rows.extend(("ATTENTION", problem) for problem in status.problems)
    return "\n".join(f"{name:13s} {text}" for name, text in rows)


def _numbers(numbers: Numbers) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in numbers.items() if value) or "none"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f}"


def _queue(waiting: float | None, oldest: float | None) -> str:
    return f"{_number(waiting)} wait" + (f", the oldest {_seconds(oldest)}" if waiting else "")


def _percentiles(latency: Latency) -> str:
    if latency.p50 is None or latency.p99 is None:
        return "none"
    return f"p50 {latency.p50:.3f} s, p99 {latency.p99:.3f} s, of {latency.count} since the start"


def _memory(used: float | None, limit: float | None) -> str:
    if used is None:
        return "unknown"
    return f"{used / MIB:.0f} MiB" + (f" of {limit / MIB:.0f}" if limit else ", no limit")


def _seconds(value: float | None) -> str:
    if value is None:
        return "unknown"
    whole = int(value)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    shown = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(shown[:2]) or "0 s"
