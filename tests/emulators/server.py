"""Runs an app on a socket, in threads of its own."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

_STOP_POLL_SECONDS = 0.02  # how soon stop() is noticed


class _Quiet(WSGIRequestHandler):
    """Handler without a line for each request."""

    protocol_version = "HTTP/1.1"  # real servers keep connections open, so clients must cope with that

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


class Server:
    """An app that listens; a context manager that stops it at the end."""

    def __init__(self, app: Flask, host: str, port: int) -> None:
        """Bind and listen.

        Args:
            app: what to serve.
            host: an IPv4 or IPv6 address or name; ``::`` listens on both IPv4 and IPv6.
            port: TCP port; 0 takes a free one.

        Raises:
            OSError: when the address cannot be bound; the text says which.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, port), family=family, dualstack_ipv6=host == "::")
        except OSError as error:
            raise OSError(
                f"cannot listen on {host} port {port}: {error.strerror};"
                " stop what uses it or choose another port"
            ) from error
        self.port: int = listener.getsockname()[1]
        self.host = host
        with listener:  # make_server works on a copy of the descriptor
            self._server = make_server(
                host, self.port, app, threaded=True, request_handler=_Quiet, fd=listener.fileno()
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL_SECONDS,), name=app.name, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Address for a client on this machine."""
        local = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{local}]:{self.port}" if ":" in local else f"http://{local}:{self.port}"

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Server:
        """Give the running server."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()
