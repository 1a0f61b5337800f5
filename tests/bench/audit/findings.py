"""Reads what lynis and ssh-audit report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


class ReportError(ValueError):
    """An auditor's report has no result; the text says which."""


@dataclass(frozen=True)
class Lynis:
    """A lynis report: its index (0 to 100), and its warnings and suggestions by test number."""

    index: int
    warnings: Mapping[str, str]
    suggestions: Mapping[str, str]


@dataclass(frozen=True)
class SshAudit:
    """The lines that ssh-audit marks as failures and as warnings."""

    fails: tuple[str, ...]
    warnings: tuple[str, ...]


def read_lynis(report: str) -> Lynis:
    """Read ``/var/log/lynis-report.dat``.

    Its lines are ``key=value``, and ``key[]=test|text|details|solution|`` where there can be several
    (lynis, include/functions, ReportSuggestion and ReportWarning).

    Raises:
        ReportError: it has no index: lynis did not come to its end.
    """
    found = re.search(r"^hardening_index=(\d+)$", report, re.M)
    if not found:
        raise ReportError("lynis-report.dat has no hardening_index: lynis did not come to its end")
    return Lynis(int(found[1]), _several(report, "warning"), _several(report, "suggestion"))


def _several(report: str, key: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in re.findall(rf"^{key}\[\]=(.*)$", report, re.M):
        test, _, rest = line.partition("|")
        text = " ".join(part for part in rest.split("|")[:2] if part not in ("", "-"))
        found[test] = f"{found[test]}; {text}" if test in found else text
    return found


def read_ssh_audit(report: str) -> SshAudit:
    """Read the output of ``ssh-audit --no-colors``.

    An algorithm's first line has its name, further ones begin with a backquote and a hyphen; each ends with
    ``[fail] reason``, ``[warn] reason`` or ``[info] text`` (ssh-audit, output_algorithm).

    Raises:
        ReportError: it lists no algorithm: the server was not reached.
    """
    if "(kex)" not in report:
        raise ReportError(f"ssh-audit lists no key exchange: {report[-500:]!r}")
    lines: dict[str, list[str]] = {"fail": [], "warn": []}
    name = ""
    for line in report.splitlines():
        if line.startswith("("):
            name = re.split(r"\s+-- ", line)[0]
        found = re.search(r"(?:--|`-) \[(fail|warn)\] (.*)$", line)
        if found:
            lines[found[1]].append(f"{name}: {found[2].strip()}")
    return SshAudit(tuple(lines["fail"]), tuple(lines["warn"]))
