"""The machine's Prometheus on this host's loopback: each request is made on the machine, over SSH."""

from __future__ import annotations

import http.server
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.machines_monitoring.services import PROMETHEUS
from tests.machines_verify.machine_access import on_machine

# The status on the first line; a refusal's reason is in its body.
_ASK = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=60)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status)
sys.stdout.write(answer.read().decode())
"""


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Hand the request on, and the answer back."""
        said = on_machine(f"python3 -c {shlex.quote(_ASK)} {shlex.quote(PROMETHEUS + self.path)}")
        status, _, text = said.partition("\n")
        body = text.encode()
        self.send_response(int(status))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def bridge() -> Iterator[str]:
    """Give the address of the machine's Prometheus inside this block."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
