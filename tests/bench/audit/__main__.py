"""``make audit``: lynis and ssh-audit on a fresh machine, before and after ``site.yml``.

Both auditors are Debian's packages and run on the machine itself. Beside their verdicts it measures how long
``playbooks/harden.yml`` takes on a host that has it all already.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict

from tests.bench.audit.findings import Lynis, ReportError, SshAudit, read_lynis, read_ssh_audit
from tests.bench.report import Figure, write_report
from tests.machines.machine import Machine
from tools.controller.cache import BUILD
from tools.controller.command import capture
from tools.controller.failure import StageFailure
from tools.demo.deployment import Deployment
from tools.demo.playbook import play
from tools.demo.throwaway import prepare_deployment, remove_deployment

NAME = "assistant-audit"
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends lynis ssh-audit"
LYNIS = "lynis audit system --quick --quiet --no-colors; cat /var/log/lynis-report.dat"
SSH_AUDIT = "ssh-audit --no-colors 127.0.0.1"
AUDIT_SECONDS = 600.0


def audit(machine: Machine) -> tuple[Lynis, SshAudit]:
    """Install both auditors on ``machine``, where they are missing, and run them.

    Raises:
        StageFailure: they cannot be installed.
        ReportError: one of them came to no result.
    """
    status, said = capture(machine.as_root(f"apt-get update -qq && {INSTALL}"), AUDIT_SECONDS)
    if status:
        raise StageFailure(f"lynis and ssh-audit cannot be installed: {said[-1000:]}", "see apt's message")
    # Both exit with more than 0 where they find something.
    lynis = read_lynis(capture(machine.as_root(LYNIS), AUDIT_SECONDS)[1])
    return lynis, read_ssh_audit(capture(machine.as_root(SSH_AUDIT), AUDIT_SECONDS)[1])


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


def table(before: tuple[Lynis, SshAudit], after: tuple[Lynis, SshAudit]) -> str:
    """Lay out both verdicts side by side, and below them what is left."""
    rows: list[tuple[str, object, object]] = [
        ("lynis, index of 100", before[0].index, after[0].index),
        ("lynis, warnings", len(before[0].warnings), len(after[0].warnings)),
        ("lynis, suggestions", len(before[0].suggestions), len(after[0].suggestions)),
        ("ssh-audit, failures", len(before[1].fails), len(after[1].fails)),
        ("ssh-audit, warnings", len(before[1].warnings), len(after[1].warnings)),
    ]
    lines = [f"{'':<22} before  after", *(f"{title:<22} {old!s:>6} {new!s:>6}" for title, old, new in rows)]
    left: list[tuple[str, Mapping[str, str]]] = [
        ("lynis warns", after[0].warnings),
        ("lynis suggests", after[0].suggestions),
    ]
    for title, several in left:
        lines += [f"{title}: {test} {text}" for test, text in several.items()]
    return "\n".join([*lines, *(f"ssh-audit: {line}" for line in after[1].fails + after[1].warnings)])


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
    figures: dict[str, Figure] = {
        "lynis_index_before": before[0].index,
        "lynis_index_after": after[0].index,
        "ssh_audit_fails_before": len(before[1].fails),
        "ssh_audit_warnings_before": len(before[1].warnings),
        "ssh_audit_fails": len(after[1].fails),
        "ssh_audit_warnings": len(after[1].warnings),
        "harden_second_run_s": statistics.median(seconds),
    }
    reports = {"before": before, "after": after}
    found = {when: [asdict(one) for one in several] for when, several in reports.items()}
    write_report("audit", figures, {"harden_seconds": seconds, **found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
