"""Every TCP port of the machine, from outside, over both families; Docker's published port is among them."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator

import pytest

from tests.end_to_end.port_scan import scan
from tests.machines_verify.machine_access import INFO, eventually, listening, on_machine

ALLOWED = {22, 80, 443}
# The assistant's own port, which Docker publishes for the proxy alone.
HIDDEN = 8000


@pytest.fixture(scope="module", autouse=True)
def something_listens() -> Iterator[None]:
    """Without a program on each allowed port, and on one that is not, a scan would show nothing."""
    silent = [port for port in sorted({*ALLOWED, HIDDEN}) if not on_machine(f"ss -Htln 'sport = :{port}'")]
    if not silent:
        yield
        return
    with listening(*silent):
        yield


@pytest.mark.parametrize("address", INFO["addresses"])
def test_only_the_front_door_and_ssh_are_open(address: str) -> None:
    found = scan(ipaddress.ip_address(address), raw=os.geteuid() == 0)
    assert found <= ALLOWED
    assert found, "a scan that finds nothing has scanned nothing"
    # A busy host may lose a probe of the scan three times over; a connection is tried again by the kernel.
    assert {port for port in ALLOWED if _connects(address, port)} == ALLOWED


def _connects(address: str, port: int) -> bool:
    def connects() -> bool:
        try:
            with socket.create_connection((address, port), timeout=30):
                return True
        except OSError:
            return False

    # Port 22 takes so many connections of an address, the scan's too, and then none for half a minute.
    return eventually(connects, seconds=100, pause=32)
