"""The front door, from outside the machine."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from urllib.parse import urlsplit

import pytest

from tests.machines_verify.machine_access import INFO, on_machine

HOST = urlsplit(INFO["https_url"]).hostname or ""
CA_FILE = INFO["ca_file"]


def https(
    path: str, method: str = "GET", body: bytes | None = None, address: str = HOST, host: str = ""
) -> tuple[int, dict[str, str], bytes]:
    """Ask over https with the machine's own authority as the only one that is trusted."""
    context = ssl.create_default_context(cafile=CA_FILE)
    connection = http.client.HTTPSConnection(address, 443, context=context, timeout=20)
    headers = {"Content-Type": "application/json"} | ({"Host": host} if host else {})
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def redirect(address: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address, 80, timeout=10)
    connection.request("GET", "/some?thing=1")
    answer = connection.getresponse()
    return answer.status, answer.getheader("Location") or ""


@pytest.mark.parametrize("address", INFO.get("addresses", [HOST]))
def test_https_answers_with_a_certificate_of_the_authority(address: str) -> None:
    status, _, page = https("/", address=address)
    assert status == 200
    assert b"<html" in page.lower()


@pytest.mark.parametrize("address", INFO.get("addresses", [HOST]))
def test_http_only_leads_to_https(address: str) -> None:
    status, location = redirect(address)
    written = f"[{address}]" if ":" in address else address
    assert (status, location) == (301, f"https://{written}/some?thing=1")


@pytest.mark.parametrize(
    "path", ["/metrics", "/readyz", "/metrics/", "//metrics", "/chat/../metrics", "/.env", "/x"]
)
def test_what_is_not_named_is_not_there(path: str) -> None:
    status, headers, body = https(path)
    assert status == 404
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["error"]["type"] == "not_found"


def test_the_answer_names_no_version_and_protects_the_page() -> None:
    _, headers, _ = https("/")
    assert headers["server"] == "nginx"
    assert headers["strict-transport-security"].startswith("max-age=")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "permissions-policy" in headers


def test_the_headers_are_on_errors_too() -> None:
    assert "strict-transport-security" in https("/x")[1]


def test_a_body_of_two_megabytes_is_too_large() -> None:
    status, headers, body = https("/feishu/webhook", "POST", b"x" * 2_000_000)
    assert status == 413
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["error"]["code"] == 413


def test_another_host_name_gets_no_answer() -> None:
    with pytest.raises((http.client.RemoteDisconnected, http.client.BadStatusLine, ConnectionError)):
        https("/", host="other.example.org")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # At level 0 the client itself would take it: the refusal is the server's.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection((HOST, 443), timeout=10) as raw, pytest.raises(ssl.SSLError) as refused:
        context.wrap_socket(raw)
    assert "alert protocol version" in str(refused.value).lower().replace("_", " ")


def test_a_flood_from_one_address_is_slowed_down() -> None:
    context = ssl.create_default_context(cafile=CA_FILE)
    connection = http.client.HTTPSConnection(HOST, 443, context=context, timeout=20)
    statuses = []
    for _ in range(120):
        connection.request("GET", "/v1/models")
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    assert statuses[0] == 401
    assert 429 in statuses


def test_the_log_has_no_query_string() -> None:
    https("/x?word=needle-in-a-query")
    logged = on_machine("cat /var/log/nginx/access.log /var/log/nginx/error.log")
    assert '"path":"/x"' in logged
    assert "needle-in-a-query" not in logged


def test_the_certificate_is_renewed_by_itself() -> None:
    assert on_machine("systemctl is-active ai-assistant-certificate.timer").strip() == "active"
    assert on_machine("/usr/local/sbin/ai-assistant-certificate renew") == ""
