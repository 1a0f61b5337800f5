"""Whether somebody is still at the other end of a request's connection."""

import socket
from collections.abc import Mapping
from typing import Any


def is_closed(environ: Mapping[str, Any]) -> bool:
    """Whether the client has closed the connection of the WSGI request ``environ``.

    gunicorn puts the socket into the environment; another server may not, and then the answer is no. Looking
    at the next byte takes nothing away: it may be the client's next request.
    """
    connection = environ.get("gunicorn.socket")
    if connection is None:
        return False
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
