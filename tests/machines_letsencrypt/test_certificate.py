"""The letsencrypt mode against a real ACME server: issued, served, renewed and served again."""

from __future__ import annotations

import os
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.machines_verify.machine_access import INFO, on_machine

DOMAIN = "assistant.example"
ROOT_FILE = Path(os.environ["DEMO_INFO"]).parent / "acme" / "root.crt"


def _served_serial() -> str:
    """Return the serial number of the certificate that a client accepts for the domain on 443."""
    context = ssl.create_default_context(cafile=str(ROOT_FILE))
    with (
        socket.create_connection((INFO["addresses"][0], 443), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname=DOMAIN) as tls,
    ):
        certificate = tls.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])


def test_a_client_that_knows_the_authority_accepts_the_certificate_for_the_domain() -> None:
    assert _served_serial()


def test_a_client_that_does_not_know_the_authority_refuses_it() -> None:
    context = ssl.create_default_context()
    with (
        socket.create_connection((INFO["addresses"][0], 443), timeout=10) as raw,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(raw, server_hostname=DOMAIN)


def test_renewal_puts_a_new_certificate_in_front_without_a_hand() -> None:
    before = _served_serial()
    on_machine("systemctl is-enabled certbot.timer")
    # What certbot.service runs, but for a young certificate, and without its sleep of up to 8 minutes.
    renew = "certbot renew --force-renewal --no-random-sleep-on-renew"
    on_machine(f"REQUESTS_CA_BUNDLE=/etc/ai-assistant/tls/acme-ca.pem {renew}")
    # nginx takes a reload's certificate into use shortly after systemctl has returned.
    deadline = time.monotonic() + 30
    while _served_serial() == before and time.monotonic() < deadline:
        time.sleep(0.5)
    assert _served_serial() != before
