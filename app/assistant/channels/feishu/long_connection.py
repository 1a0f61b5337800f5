"""Feishu's long connection: events over a websocket that the assistant opens.

Source: open.feishu.cn, "Receive events through a long connection" (3 seconds to handle an event, or it comes
again; at most 50 connections an app; each event goes to one of them), and for the protocol
github.com/larksuite/oapi-sdk-python, lark_oapi/ws/client.py: a call tells the address and the pauses; a ping
frame every ``PingInterval`` seconds, a pong may change the pauses; an event may come in several frames; the
answer is the event's own frame with another payload, code 200 for taken and 500 for not taken.
"""

import base64
import http
import json
import random
import ssl
import threading
import time
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from assistant.channels.base import PermanentError, TransientError
from assistant.channels.feishu import PLATFORM
from assistant.channels.feishu.errors import FOR_THE_OPERATOR
from assistant.channels.feishu.frames import CONTROL, DATA, Frame, FrameError
from assistant.channels.feishu.reception import Reception
from assistant.channels.feishu.transport import Transport
from assistant.logs import Log
from assistant.loops import Loop

log = Log(__name__)
ENDPOINT = "/callback/ws/endpoint"
# What the platform's own clients do until the platform says otherwise.
PING_SECONDS = 120.0
RECONNECT_SECONDS = 120.0
FIRST_RECONNECT_SECONDS = 1.0
# How long stopping may have to wait for the reader to look up.
LOOK_UP_SECONDS = 1.0
OPEN_SECONDS = 15.0
LARGEST_FRAME = 16 * 1024 * 1024
# Events that came in part; an event's parts follow each other within seconds.
REMEMBERED_PARTS = 64
MOST_PARTS = 256
PART_SECONDS = 30.0
# Source: lark_oapi/ws/const.py.
CONNECTION_CODES = {
    403: "the app may not use a long connection: choose it on the developer console, Events & Callbacks",
    514: "app id or app secret is wrong",
    1000040344: "app id or app secret is missing",
    1000040350: "the app has 50 connections already, which is the most",
    **FOR_THE_OPERATOR,
}


class LongConnection:
    """Keeps one connection open, on a thread of its own, and commits what comes over it."""

    def __init__(self, transport: Transport, reception: Reception) -> None:
        """Prepare; it connects after ``start``."""
        self._transport, self._reception = transport, reception
        self._ping_seconds, self._reconnect_seconds = PING_SECONDS, RECONNECT_SECONDS
        self._failures = 0
        self._stopping = threading.Event()
        self._parts: OrderedDict[str, tuple[float, list[bytes]]] = OrderedDict()
        self._loop = Loop("feishu-connection", self._connect_once, idle_seconds=0.0)

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self) -> None:
        """Close the connection and stop the thread."""
        self._stopping.set()
        self._loop.ask_to_stop()
        self._loop.join(5)

    def _connect_once(self) -> bool:
        """Connect and read until the connection ends; returns after the pause that the next try needs."""
        problem = ""
        try:
            address, service = self._endpoint()
            with connect(
                address,
                ssl=ssl.create_default_context() if address.startswith("wss:") else None,
                open_timeout=OPEN_SECONDS,
                close_timeout=2.0,
                max_size=LARGEST_FRAME,
            ) as connection:
                log.info("the long connection is open", platform=PLATFORM)
                self._failures = 0
                self._read(connection, service)
        except (TransientError, PermanentError) as error:
            problem = _explained(error)
        except (ConnectionClosed, InvalidHandshake, InvalidURI, OSError, TimeoutError) as error:
            problem = type(error).__name__
        if self._stopping.is_set():
            return True
        self._failures += 1
        pause = min(self._reconnect_seconds, FIRST_RECONNECT_SECONDS * 2.0 ** min(self._failures - 1, 20))
        # Many hosts that lose their connection together must not come back together.
        pause *= random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        log.warning(
            "the long connection ended", platform=PLATFORM, reason=problem, next_try_in=round(pause, 1)
        )
        self._stopping.wait(pause)
        return True

    def _endpoint(self) -> tuple[str, int]:
        document = self._transport.call_openly(
            "POST", ENDPOINT, self._transport.credentials(), {"locale": "zh"}
        ).document
        data = document.get("data")
        data = data if isinstance(data, dict) else {}
        self._configure(data.get("ClientConfig"))
        address = data.get("URL")
        if not isinstance(address, str) or urlsplit(address).scheme not in {"ws", "wss"}:
            raise PermanentError("no address in the answer")
        service = parse_qs(urlsplit(address).query).get("service_id", ["0"])[0]
        return address, int(service) if service.isascii() and service.isdigit() else 0

    def _configure(self, config: object) -> None:
        if not isinstance(config, dict):
            return
        self._ping_seconds = _seconds(config.get("PingInterval"), self._ping_seconds)
        self._reconnect_seconds = _seconds(config.get("ReconnectInterval"), self._reconnect_seconds)

    def _read(self, connection: ClientConnection, service: int) -> None:
        next_ping = time.monotonic()
        while not self._stopping.is_set():
            now = time.monotonic()
            if now >= next_ping:
                connection.send(Frame(CONTROL, service, {"type": "ping"}).encode())
                next_ping = now + self._ping_seconds
            try:
                message = connection.recv(timeout=min(LOOK_UP_SECONDS, max(0.0, next_ping - now)))
            except TimeoutError:
                continue
            if isinstance(message, bytes):
                self._take(connection, message)

    def _take(self, connection: ClientConnection, message: bytes) -> None:
        try:
            frame = Frame.decode(message)
        except FrameError as error:
            log.warning(
                "a frame of the long connection is not understood", platform=PLATFORM, reason=str(error)
            )
            return
        kind = frame.headers.get("type", "")
        if frame.method == CONTROL and kind == "pong" and frame.payload:
            self._configure(_json(frame.payload))
        elif frame.method == DATA and kind in {"event", "card"}:
            payload = self._whole(frame)
            if payload is not None:
                connection.send(self._answered(frame, payload).encode())

    def _answered(self, frame: Frame, payload: bytes) -> Frame:
        """Commit an event, then return the frame that says so."""
        begun = time.monotonic()
        answer: dict[str, Any] = {"code": int(http.HTTPStatus.OK)}
        try:
            with self._reception.arrival():
                result = self._reception.receive(_json(payload))
            if result is not None:
                answer["data"] = base64.b64encode(json.dumps(result, ensure_ascii=False).encode()).decode()
        except Exception:
            # Not committed: Feishu sends it again.
            log.exception("an event was not taken", platform=PLATFORM)
            answer = {"code": int(http.HTTPStatus.INTERNAL_SERVER_ERROR)}
        frame.headers["biz_rt"] = str(round((time.monotonic() - begun) * 1000))
        frame.payload = json.dumps(answer).encode()
        return frame

    def _whole(self, frame: Frame) -> bytes | None:
        """Return an event's payload once all of it is there."""
        count, number = _count(frame, "sum", 1), _count(frame, "seq", 0)
        if count == 1:
            return frame.payload
        if not 1 < count <= MOST_PARTS or not 0 <= number < count:
            return None
        name = frame.headers.get("message_id", "")
        now = time.monotonic()
        since, parts = self._parts.get(name, (now, []))
        if len(parts) != count or now - since > PART_SECONDS:
            since, parts = now, [b""] * count
        parts[number] = frame.payload
        self._parts[name] = (since, parts)
        while len(self._parts) > REMEMBERED_PARTS:
            self._parts.popitem(last=False)
        if not all(parts):
            return None
        del self._parts[name]
        return b"".join(parts)


def _count(frame: Frame, name: str, default: int) -> int:
    text = frame.headers.get(name, str(default))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1


def _seconds(value: object, default: float) -> float:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


def _json(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _explained(error: TransientError | PermanentError) -> str:
    code = getattr(error, "code", 0)
    meaning = CONNECTION_CODES.get(code)
    return f"feishu code {code}: {meaning}" if meaning else error.reason
