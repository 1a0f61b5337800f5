"""Both nodes as one: what Filebeat sends for a pipeline goes through it on 7.10.2 and on to the data streams.

The deployed version runs a bulk request's pipelines by itself; as a test it lacks the processors.
"""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from tests.logging.node import Node

# Headers that describe one connection, or that http.server and httpx write themselves.
_OWN = {"connection", "content-encoding", "content-length", "date", "host", "server", "transfer-encoding"}


def _processed(body: bytes, pipelines: httpx.Client) -> bytes:
    """Return a bulk body whose documents went through the pipelines that their actions name."""
    rows = [json.loads(line) for line in body.splitlines() if line]
    actions, sources = rows[::2], rows[1::2]
    wanted: dict[str, list[int]] = {}
    for number, action in enumerate(actions):
        if pipeline := action["create"].pop("pipeline", None):
            wanted.setdefault(pipeline, []).append(number)
    for pipeline, numbers in wanted.items():
        documents = [{"_source": sources[number]} for number in numbers]
        answer = pipelines.post(f"/_ingest/pipeline/{pipeline}/_simulate", json={"docs": documents})
        answer.raise_for_status()
        for number, made in zip(numbers, answer.json()["docs"], strict=True):
            sources[number] = made["doc"]["_source"]
    pairs = zip(actions, sources, strict=True)
    return "".join(f"{json.dumps(action)}\n{json.dumps(source)}\n" for action, source in pairs).encode()


@contextmanager
def gateway(node: Node, pipelines: httpx.Client) -> Iterator[Node]:
    """Stand before ``node`` with its certificate; yields the same node at the gateway's port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path.partition("?")[0].endswith("/_bulk"):
                body = _processed(body, pipelines)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
            headers["Accept-Encoding"] = "identity"
            with node.client() as client:
                # Who asks is in the headers.
                reply = client.request(self.command, self.path, content=body, headers=headers, auth=None)
            self.send_response(reply.status_code)
            for name, value in reply.headers.items():
                if name.lower() not in _OWN:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            if self.command != "HEAD":
                # A shipper that waited too long has gone and asks again.
                with suppress(OSError):
                    self.wfile.write(reply.content)

        do_GET = do_HEAD = do_POST = do_PUT = answer

        def log_message(self, format: str, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(node.home / "config" / "node.crt", node.home / "config" / "node.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield replace(node, port=server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
