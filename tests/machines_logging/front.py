"""TLS before the Elasticsearch of the test, with the machine's own Python.

``front.py CERTIFICATE PORT TARGET_PORT``. It answers ``GET /_license`` itself, as the released Elasticsearch
does with its free license: Filebeat asks for it first, and the server of the test has no module for it.
Everything else goes through as it is.
"""

from __future__ import annotations

import http.client
import http.server
import json
import ssl
import sys

LICENSE = {"license": {"status": "active", "uid": "of-the-test", "type": "basic", "mode": "basic"}}


class Front(http.server.BaseHTTPRequestHandler):
    """Passes requests on over a connection of their own."""

    protocol_version = "HTTP/1.1"
    target = 0

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/_license"):
            self._send(200, {"Content-Type": "application/json"}, json.dumps(LICENSE).encode())
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=120)
        dropped = {"host", "connection", "authorization", "content-length", "accept-encoding"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() == "content-type"}
            self._send(answer.status, kept, answer.read())
        except OSError as error:
            self._send(503, {}, json.dumps({"error": str(error)}).encode())
        finally:
            connection.close()

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _pass_on

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: what is said here would be a line of the logs that are looked at."""


def main() -> None:
    """Serve until the end."""
    certificate, port, target = sys.argv[1:]
    Front.target = int(target)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Front)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main()
