"""``make audit``: lynis and ssh-audit on a fresh machine, before and after ``site.yml``.

lynis is a package of Debian and runs on the machine. ssh-audit runs twice: this checkout's pinned one, and
Debian's older one (2.5), with which the peers' figures were taken. Beside their verdicts it measures how long
``playbooks/harden.yml`` takes on a host that has it all already.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict

from tests.bench.audit.auditors import Verdicts, audit
from tests.bench.audit.findings import ReportError
from tests.bench.report import Figure, write_report
from tools.controller.cache import BUILD
from tools.controller.failure import StageFailure
from tools.demo.deployment import Deployment
from tools.demo.playbook import play
from tools.demo.throwaway import prepare_deployment, remove_deployment

NAME = "assistant-audit"


def unchanged_runs(deployment: Deployment, count: int) -> list[float]:
    """Return the seconds of ``count`` runs of ``playbooks/harden.yml`` that change nothing.

    Raises:
        StageFailure: a run failed or changed something.
    """
    seconds = []
    log = BUILD / "logs" / f"{NAME}-harden.log"
    for _ in range(count):
        begun = time.monotonic()
        totals = play(deployment, log, playbook="playbooks/harden.yml")
        seconds.append(time.monotonic() - begun)
        if "changed=0" not in totals:
            raise StageFailure(f"an unchanged run changed something: {totals}", f"see {log}")
    return seconds


def figures_of(before: Verdicts, after: Verdicts) -> dict[str, Figure]:
    """Return what the auditors said in numbers, by the names of ``build/bench/audit.json``."""
    figures: dict[str, Figure] = {}
    for when, said in (("_before", before), ("_after", after)):
        # ssh_audit_fails without an ending is the figure after, by the version that the peers were seen by.
        ending = "_before" if said is before else ""
        figures[f"lynis_index{when}"] = said.lynis.index
        figures[f"lynis_warnings{when}"] = len(said.lynis.warnings)
        figures[f"lynis_suggestions{when}"] = len(said.lynis.suggestions)
        figures[f"ssh_audit_fails{ending}"] = len(said.ssh_of_debian.fails)
        figures[f"ssh_audit_warnings{ending}"] = len(said.ssh_of_debian.warnings)
        figures[f"ssh_audit_pinned_fails{ending}"] = len(said.ssh.fails)
        figures[f"ssh_audit_pinned_warnings{ending}"] = len(said.ssh.warnings)
    return figures


def table(before: Verdicts, after: Verdicts) -> str:
    """Lay out both verdicts side by side, and below them what is left."""
    rows: list[tuple[str, object, object]] = [
        ("lynis, index of 100", before.lynis.index, after.lynis.index),
        ("lynis, warnings", len(before.lynis.warnings), len(after.lynis.warnings)),
        ("lynis, suggestions", len(before.lynis.suggestions), len(after.lynis.suggestions)),
        ("ssh-audit 3.9, failures", len(before.ssh.fails), len(after.ssh.fails)),
        ("ssh-audit 3.9, warnings", len(before.ssh.warnings), len(after.ssh.warnings)),
        ("ssh-audit 2.5, failures", len(before.ssh_of_debian.fails), len(after.ssh_of_debian.fails)),
        ("ssh-audit 2.5, warnings", len(before.ssh_of_debian.warnings), len(after.ssh_of_debian.warnings)),
    ]
    lines = [f"{'':<24} before  after", *(f"{title:<24} {old!s:>6} {new!s:>6}" for title, old, new in rows)]
    left: list[tuple[str, Mapping[str, str]]] = [
        ("lynis warns", after.lynis.warnings),
        ("lynis suggests", after.lynis.suggestions),
    ]
    for title, several in left:
        lines += [f"{title}: {test} {text}" for test, text in several.items()]
    for title, said in (("ssh-audit 3.9", after.ssh), ("ssh-audit 2.5", after.ssh_of_debian)):
        lines += [f"{title}: {line}" for line in said.fails + said.warnings]
    return "\n".join([*lines, "docs/security.md answers each of these."])


def main() -> int:
    """Audit, write ``build/bench/audit.json``, and remove the machine; 1 with the reason where that fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.audit", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="unchanged runs that are timed (3)")
    parser.add_argument("--keep", action="store_true", help="leave the machine as it is afterwards")
    options = parser.parse_args()
    try:
        deployment = prepare_deployment(NAME)
        before = audit(deployment.machine)
        play(deployment, BUILD / "logs" / f"{NAME}-site.log")
        after = audit(deployment.machine)
        seconds = unchanged_runs(deployment, options.runs)
    except (StageFailure, ReportError) as failure:
        print(getattr(failure, "why", failure), getattr(failure, "remedy", ""), sep="\n", file=sys.stderr)
        return 1
    finally:
        if not options.keep:
            remove_deployment(NAME)
    print(table(before, after))
    figures = {**figures_of(before, after), "harden_second_run_s": statistics.median(seconds)}
    verdicts = {"before": [asdict(before)], "after": [asdict(after)]}
    write_report("audit", figures, {"harden_seconds": seconds, **verdicts})
    return 0


if __name__ == "__main__":
    sys.exit(main())
