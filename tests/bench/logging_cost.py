"""What logging costs: the app's CPU time at 100 webhooks a second, with logging at info and without, in turn.

And Filebeat's, where it has been built (make elastic), while it ships what such a second writes.

Two assistants run at once, alike but for the level; the load goes to the one and to the other in short
blocks, so that whatever else the machine does falls on both. Messages are commands: the model has no part in
it. Blocks differ by more than what is looked for, so that there are many: the cost is the mean of the pairs'
differences, given with its 95 % interval.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from dataclasses import astuple
from pathlib import Path

from assistant.evaluation.statistics import bootstrap
from tests.bench.ack.arrivals import arrive
from tests.bench.ack.rig import Rig, assembled, nginx_configuration
from tests.bench.ack.traffic import People
from tests.bench.report import Figure, write_report
from tests.bench.shipping_cost import Shipping, shipping_cost
from tests.integration.app.process import until
from tools.elastic.shipper import cached_filebeat

PER_SECOND = 100.0
BAR_PERCENT = 5.0
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(rig: Rig) -> float:
    """Return the CPU time of gunicorn's master and worker so far, in seconds (proc(5), fields 14 and 15)."""
    master = rig.assistant.process
    assert master is not None
    children = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
    found = 0
    for number in [str(master.pid), *children]:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        found += int(fields[11]) + int(fields[12])
    return found / TICKS


def block(rig: Rig, people: People, seconds: int) -> tuple[float, int]:
    """Load ``rig`` for ``seconds``; returns CPU in percent of one core, and how many were not taken."""
    posts = people.write(["/help"], int(PER_SECOND * seconds))
    before = cpu_seconds(rig)
    arrivals = arrive(rig.door, posts, PER_SECOND)
    # What was taken is answered and delivered within the block: its lines are a part of the cost.
    until("all is delivered", lambda: _waiting(rig) == 0, 120)
    used = cpu_seconds(rig) - before
    return 100 * used / seconds, sum(1 for arrival in arrivals if arrival.status != 200)


def _waiting(rig: Rig) -> int:
    return sum(
        int(rig.assistant.rows(f"SELECT count(*) FROM {table} WHERE state = 'pending'")[0][0])
        for table in ("inbox", "outbox")
    )


def _shipping(lines: int, seconds: int) -> Shipping | None:
    filebeat = cached_filebeat()
    if filebeat is None:
        print("Filebeat is not built (make elastic): its cost is left out", file=sys.stderr)
        return None
    return shipping_cost(filebeat, int(PER_SECOND), lines, seconds)


def _figures(shipping: Shipping) -> dict[str, Figure]:
    return {
        "filebeat_cpu_percent_of_a_core": shipping.busy,
        "filebeat_cpu_percent_at_rest": shipping.idle,
        "filebeat_resident_mb": shipping.resident_mb,
    }


def main() -> int:
    """Measure, write the report, and fail where the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="the length of a block")
    parser.add_argument("--rounds", type=int, default=24, help="blocks for each of both")
    arguments = parser.parse_args()
    shares: dict[str, list[float]] = {"info": [], "error": []}
    missed, lines = 0, 0
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folders = {level: Path(name) / level for level in shares}
        for folder in folders.values():
            folder.mkdir()
        configuration = nginx_configuration(Path(name))
        people = People()
        # No limit of nginx's for one address: all come from this machine.
        configuration = "\n".join(x for x in configuration.splitlines() if "limit_" not in x)
        with (
            assembled(folders["info"], configuration, [], {"ASSISTANT_LOG_LEVEL": "info"}) as on,
            assembled(folders["error"], configuration, [], {"ASSISTANT_LOG_LEVEL": "error"}) as off,
        ):
            rigs = {"info": on, "error": off}
            for rig in rigs.values():
                block(rig, people, 2)
            before = on.assistant.log().count("\n")
            for turn in range(arguments.rounds):
                for level in sorted(rigs, reverse=bool(turn % 2)):
                    share, lost = block(rigs[level], people, arguments.seconds)
                    shares[level].append(round(share, 2))
                    missed += lost
            lines = on.assistant.log().count("\n") - before
    with_logging, without = (statistics.median(shares[level]) for level in ("info", "error"))
    differences = [on - off for on, off in zip(shares["info"], shares["error"], strict=True)]
    # All pairs are of one kind.
    cost = bootstrap(
        [0] * len(differences), lambda drawn: statistics.fmean(differences[n] for n in drawn), seed=1
    )
    requests = int(PER_SECOND * arguments.seconds) * arguments.rounds
    lines_per_request = round(lines / requests, 2)
    shipping = _shipping(round(lines_per_request), arguments.seconds)
    cores = os.cpu_count() or 1
    total, low, high = ((part + (shipping.busy if shipping else 0.0)) / cores for part in astuple(cost))
    figures: dict[str, Figure] = {
        "requests_per_second": PER_SECOND,
        "lines_per_request": lines_per_request,
        "cpu_percent_with_logging": round(with_logging, 2),
        "cpu_percent_without": round(without, 2),
        "logging_cpu_percent_of_a_core": round(cost.value, 2),
        "logging_cpu_low": round(cost.low, 2),
        "logging_cpu_high": round(cost.high, 2),
        "logging_percent_of_the_app": round(100 * cost.value / without, 2),
        **(_figures(shipping) if shipping else {}),
        "all_logging_percent_of_the_host": round(total, 2),
        "all_logging_low": round(low, 2),
        "all_logging_high": round(high, 2),
        "requests_not_taken": missed,
        "load_average_at_start": round(load, 2),
        "load_average_at_end": round(os.getloadavg()[0], 2),
        "pairs": arguments.rounds,
        "cores": cores,
    }
    write_report("logging", figures, shares)
    if missed or total >= BAR_PERCENT:
        print(f"missed: under {BAR_PERCENT} % of the host's CPU, and every request taken", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
