"""Open-loop load: requests arrive at fixed times, whatever became of the earlier ones.

A latency is counted from the moment at which its request should have been sent. A caller that waits for an
answer before it sends the next request leaves out just those moments in which the server stands still
("coordinated omission", Gil Tene, "How NOT to Measure Latency").
"""

from __future__ import annotations

import http.client
import itertools
import random
import select
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

# Enough for every request that may be on its way at once, and few enough to cost no time themselves.
CONNECTIONS = 32
TIMEOUT_SECONDS = 30.0
# Before the first arrival: all threads must be there.
HEAD_START_SECONDS = 0.3


@dataclass(frozen=True)
class Door:
    """Where to send to: ``host`` is the name that the server's certificate bears."""

    address: str
    port: int
    host: str
    trust: ssl.SSLContext

    def connect(self) -> http.client.HTTPConnection:
        """Return an open connection over TLS."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=TIMEOUT_SECONDS)
        connection.connect()
        assert connection.sock is not None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock = self.trust.wrap_socket(connection.sock, server_hostname=self.host)
        return connection


@dataclass(frozen=True)
class Post:
    """A request that is ready to go; ``name`` tells it from all others."""

    name: str
    path: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Arrival:
    """What became of one request; ``due`` is in seconds since 1970, ``status`` 0 without an answer.

    ``cache`` is the answer's header X-Cache, if it has one.
    """

    name: str
    path: str
    due: float
    late_seconds: float
    seconds: float
    status: int
    cache: str = ""


def arrive(
    door: Door,
    posts: Sequence[Post],
    per_second: float,
    connections: int = CONNECTIONS,
    chance: random.Random | None = None,
) -> list[Arrival]:
    """Send ``posts``, each when it is due, over connections that are kept open.

    Args:
        door: where to.
        posts: what, in this order.
        per_second: how many a second.
        connections: how many may be on their way at once.
        chance: where to take the times from, as of people who know nothing of each other (a Poisson process);
            None makes the distances equal.

    Returns:
        one arrival a request, in the same order; ``late_seconds`` says how late the sender itself was.
    """
    # Given their number, the times of a Poisson process are spread evenly at random (Kingman, "Poisson
    # Processes", 1993, 2.4): so the rate is the set one.
    offsets = sorted((chance.uniform(0, len(posts)) if chance else n) / per_second for n in range(len(posts)))
    found: list[Arrival | None] = [None] * len(posts)
    numbers = itertools.count()
    lock = threading.Lock()
    begin = time.perf_counter() + HEAD_START_SECONDS
    wall = time.time() - time.perf_counter()

    def send_some() -> None:
        connection: http.client.HTTPConnection | None = door.connect()
        while True:
            with lock:
                number = next(numbers)
            if number >= len(posts):
                if connection is not None:
                    connection.close()
                return
            due = begin + offsets[number]
            if (early := due - time.perf_counter()) > 0:
                time.sleep(early)
            started = time.perf_counter()
            post = posts[number]
            connection, status, cache = _send(door, connection, post)
            ended = time.perf_counter()
            found[number] = Arrival(
                post.name, post.path, due + wall, started - due, ended - due, status, cache
            )

    threads = [threading.Thread(target=send_some, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [arrival for arrival in found if arrival is not None]


def _send(
    door: Door, connection: http.client.HTTPConnection | None, post: Post
) -> tuple[http.client.HTTPConnection | None, int, str]:
    """Send ``post`` once, over ``connection`` if it is open."""
    try:
        # A new connection belongs to the request's time: a platform has to make it, too.
        if connection is None or _closed(connection):
            connection = door.connect()
        connection.request("POST", post.path, post.body, {**post.headers, "Host": door.host})
        answer = connection.getresponse()
        answer.read()
        return connection, answer.status, answer.getheader("X-Cache", "")
    except (OSError, http.client.HTTPException):
        if connection is not None:
            connection.close()
        return None, 0, ""


def _closed(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed it while it was idle, as it may: nothing else makes it readable then."""
    return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])
