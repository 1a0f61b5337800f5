#!/usr/bin/env python3
"""Scan every TCP port of a machine from outside and compare what is open with what may be.

Usage: ``python -m tests.end_to_end.port_scan ADDRESS... [--allow 22,80,443]``. Only single addresses are
taken, neither names nor networks, so that nothing else is ever scanned. Options of nmap:
https://nmap.org/book/man-port-scanning-techniques.html and https://nmap.org/book/man-performance.html.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict, dataclass
from pathlib import Path

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
SCAN_SECONDS = 900


class ScanError(Exception):
    """The scan could not be made; the text says why and what to do."""


@dataclass(frozen=True)
class Finding:
    """What one address shows; all lists are sorted port numbers."""

    address: str
    open: list[int]
    forbidden: list[int]
    missing: list[int]


def scan(address: Address, *, raw: bool) -> set[int]:
    """Scan all 65535 TCP ports of one address.

    Args:
        address: the address.
        raw: a SYN scan, which needs root; else a connect scan.

    Returns:
        the open ports.

    Raises:
        ScanError: when nmap is missing, fails, takes too long or does not find the host.
    """
    program = shutil.which("nmap")
    if program is None:
        raise ScanError("nmap is not installed; install it, for example: apt-get install nmap")
    # Most ports are dropped by a firewall and never answer: without a least rate that takes hours.
    speed = ["-T4", "--min-rate", "3000", "--max-retries", "2"]
    command = [program, "-Pn", "-n", "-sS" if raw else "-sT", "-p-", *speed, "-oX", "-", str(address)]
    if address.version == 6:
        command.append("-6")
    try:
        done = subprocess.run(command, capture_output=True, timeout=SCAN_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ScanError(
            f"the scan of {address} took more than {SCAN_SECONDS} s; scan from a nearer host"
        ) from error
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip()
        raise ScanError(f"nmap ended with status {done.returncode}: {reason}; by hand: {' '.join(command)}")
    return open_ports(done.stdout, address)


def open_ports(report: bytes, address: Address) -> set[int]:
    """Read nmap's XML report.

    Args:
        report: the report.
        address: the scanned address.

    Returns:
        the open ports.

    Raises:
        ScanError: when the report is broken or says nothing of that host.
    """
    try:
        host = ElementTree.fromstring(report).find("host")
    except ElementTree.ParseError as error:
        raise ScanError(f"nmap's report on {address} cannot be read: {error}; run nmap by hand") from error
    if host is None or host.find("ports") is None:
        raise ScanError(f"nmap says nothing of {address}; check `ip route get {address}`")
    return {
        int(port.get("portid", "0"))
        for port in host.iter("port")
        if (state := port.find("state")) is not None and state.get("state") == "open"
    }


def compare(address: Address, found: set[int], allowed: set[int]) -> Finding:
    """Compare the open ports with the allowed ones; both an extra and a missing port are findings."""
    return Finding(str(address), sorted(found), sorted(found - allowed), sorted(allowed - found))


def _ports(text: str) -> set[int]:
    ports = {int(part) for part in text.split(",") if part.strip()}
    if not all(1 <= port <= 65535 for port in ports):
        raise ValueError(text)
    return ports


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: arguments without the program's name; those of the process when None.

    Returns:
        the exit status: 0 when exactly the allowed ports are open everywhere, else 1.
    """
    parser = argparse.ArgumentParser(description="Compare a machine's open TCP ports with the allowed ones.")
    parser.add_argument("addresses", nargs="+", type=ipaddress.ip_address, metavar="ADDRESS")
    parser.add_argument("--allow", type=_ports, default={22, 80, 443}, help="open ports (22,80,443)")
    parser.add_argument("--json", type=Path, help="also write the findings to this file")
    options = parser.parse_args(arguments)
    findings: list[Finding] = []
    try:
        for address in options.addresses:
            print(f"{address}: scanning 65535 ports ...", flush=True)
            finding = compare(address, scan(address, raw=os.geteuid() == 0), options.allow)
            findings.append(finding)
            print(f"{address}: open {finding.open}", flush=True)
    except ScanError as error:
        print(f"the port scan failed: {error}", file=sys.stderr)
        return 1
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    for finding in findings:
        if finding.forbidden:
            print(
                f"{finding.address}: {finding.forbidden} open but not allowed; find it with `ss -ltnp` on the"
                " machine, and look at firewall_allowed_tcp_ports and at ports that Docker publishes",
                file=sys.stderr,
            )
        if finding.missing:
            print(
                f"{finding.address}: {finding.missing} allowed but closed; check the service, `ufw status`",
                file=sys.stderr,
            )
    return 1 if any(finding.forbidden or finding.missing for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
