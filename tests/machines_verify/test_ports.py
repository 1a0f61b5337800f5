"""Every TCP port of the machine, from outside, over both families; Docker's published port is among them."""

from __future__ import annotations

import ipaddress
import os
import socket

import pytest

from tests.end_to_end.port_scan import scan
from tests.machines_verify.machine_access import INFO, on_machine

ALLOWED = {22, 80, 443}


@pytest.mark.parametrize("address", INFO["addresses"])
def test_only_the_front_door_and_ssh_are_open(address: str) -> None:
    # Without a listener on 8000 the scan would pass for the wrong reason.
    assert "127.0.0.1:8000" in on_machine("ss -Htln 'sport = :8000'")
    found = scan(ipaddress.ip_address(address), raw=os.geteuid() == 0)
    assert found <= ALLOWED
    assert found, "a scan that finds nothing has scanned nothing"
    # A busy host may lose a probe of the scan three times over; a connection is tried again by the kernel.
    assert {port for port in ALLOWED if _connects(address, port)} == ALLOWED


def _connects(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=30):
            return True
    except OSError:
        return False
