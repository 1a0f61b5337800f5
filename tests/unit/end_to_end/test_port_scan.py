"""The port scan reads nmap's report right and says what is wrong."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest

from tests.end_to_end import port_scan

ADDRESS = ipaddress.ip_address("192.0.2.1")
REPORT = """<nmaprun><host><ports><extraports state="filtered" count="65531"/>
<port protocol="tcp" portid="22"><state state="open"/></port>
<port protocol="tcp" portid="443"><state state="open"/></port>
<port protocol="tcp" portid="8000"><state state="{state}"/></port></ports></host></nmaprun>"""


def fake_nmap(folder: Path, monkeypatch: pytest.MonkeyPatch, report: str, status: int = 0) -> Path:
    """Put a program named nmap first in the path; it writes down its arguments."""
    (folder / "report.xml").write_text(report)
    program = folder / "nmap"
    program.write_text(
        f'#!/bin/sh\necho "$*" >> "{folder}/arguments"\ncat "{folder}/report.xml"\n'
        f"echo trouble >&2\nexit {status}\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "arguments"


def test_open_ports_are_read() -> None:
    assert port_scan.open_ports(REPORT.format(state="open").encode(), ADDRESS) == {22, 443, 8000}
    assert port_scan.open_ports(REPORT.format(state="filtered").encode(), ADDRESS) == {22, 443}


@pytest.mark.parametrize("report", ["<nmaprun/>", "<nmaprun><host/></nmaprun>", "nothing"])
def test_report_without_the_host_is_no_success(report: str) -> None:
    with pytest.raises(port_scan.ScanError, match=r"192\.0\.2\.1"):
        port_scan.open_ports(report.encode(), ADDRESS)


def test_allowed_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = fake_nmap(tmp_path, monkeypatch, REPORT.format(state="closed"))
    findings = tmp_path / "findings.json"
    scanned = ["192.0.2.1", "2001:db8::1", "--allow", "22,443", "--json", str(findings)]
    assert port_scan.main(scanned) == 0
    first, second = arguments.read_text().splitlines()
    assert "-p-" in first and first.endswith("192.0.2.1") and "-6" not in first.split()
    assert "2001:db8::1" in second and "-6" in second.split()
    assert [finding["open"] for finding in json.loads(findings.read_text())] == [[22, 443], [22, 443]]


def test_extra_and_missing_ports_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_nmap(tmp_path, monkeypatch, REPORT.format(state="open"))
    assert port_scan.main(["192.0.2.1", "--allow", "22,443"]) == 1
    assert "[8000] open but not allowed" in capsys.readouterr().err
    assert port_scan.main(["192.0.2.1", "--allow", "22,80,443,8000"]) == 1
    assert "[80] allowed but closed" in capsys.readouterr().err


def test_failing_nmap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_nmap(tmp_path, monkeypatch, "", status=3)
    assert port_scan.main(["192.0.2.1"]) == 1
    assert "status 3: trouble" in capsys.readouterr().err


def test_missing_nmap(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert port_scan.main(["192.0.2.1"]) == 1
    assert "nmap is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["example.org", "192.0.2.0/24", "192.0.2.1-9"])
def test_only_single_addresses_are_taken(target: str) -> None:
    with pytest.raises(SystemExit):
        port_scan.main([target])
