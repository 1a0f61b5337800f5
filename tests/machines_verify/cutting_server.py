"""An HTTPS server on the controller that cuts the first connection in the middle of a file."""

from __future__ import annotations

import http.server
import json
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.machines_verify.machine_access import on_machine

_AUTHORITY = "/usr/local/share/ca-certificates/cutting-server.crt"


def controller_address(inventory: Path) -> str:
    """Return the controller's address on the machine's network: where the emulated platforms are."""
    hosts = json.loads((inventory / "hosts.yml").read_text())["assistant"]["hosts"]
    (host,) = hosts.values()
    return str(urlsplit(host["assistant_feishu_base_url"]).hostname)


class CuttingServer(http.server.ThreadingHTTPServer):
    """Serves one file. ``asked`` are its GETs' Range headers, ``sent`` the bytes that each was given."""

    def __init__(self, data: bytes, *, ranges: bool) -> None:
        """Listen on a free port.

        Args:
            data: the file.
            ranges: whether a Range is honoured; without, every answer is the whole file.
        """
        super().__init__(("0.0.0.0", 0), _Handler)
        self.data, self.ranges = data, ranges
        self.asked: list[str] = []
        self.sent: list[int] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    server: CuttingServer

    def do_HEAD(self) -> None:
        self._head(0)

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.asked.append(asked)
        found = re.fullmatch(r"bytes=(\d+)-", asked) if self.server.ranges else None
        start = int(found[1]) if found else 0
        self._head(start)
        body = self.server.data[start:]
        if len(self.server.asked) == 1:
            body = body[: len(body) // 2]
        self.server.sent.append(len(body))
        self.wfile.write(body)
        # Where it is cut the promised length is not reached.
        self.close_connection = True

    def _head(self, start: int) -> None:
        size = len(self.server.data)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def trusted(folder: Path, address: str) -> Iterator[ssl.SSLContext]:
    """Make a certificate for ``address`` that the machine trusts inside this block."""
    key, certificate = folder / "server.key", folder / "server.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=cutting server", "-addext", f"subjectAltName=IP:{address}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    on_machine(f"printf %s '{certificate.read_text()}' > {_AUTHORITY} && update-ca-certificates 2>&1")
    try:
        yield context
    finally:
        on_machine(f"rm {_AUTHORITY} && update-ca-certificates --fresh 2>&1")


@contextmanager
def cutting_server(context: ssl.SSLContext, data: bytes, *, ranges: bool) -> Iterator[CuttingServer]:
    """Serve ``data`` inside this block."""
    server = CuttingServer(data, ranges=ranges)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
