"""Long connections of the emulated Feishu platform: an address, and a websocket that hands events over.

Sources: https://open.feishu.cn/document, "Receive events through a long connection"; the messages are those
of github.com/larksuite/oapi-sdk-python (lark_oapi/ws), as is what the call for the address answers.
"""

from __future__ import annotations

import base64
import json
import random
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.emulators.config import FeishuConfig

ANSWER_SECONDS = 3.0
SERVICE_ID = 33554678
_CONTROL, _DATA = 0, 1


def _number(value: int) -> bytes:
    out = b""
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def pack(method: int, headers: Mapping[str, str], payload: bytes = b"") -> bytes:
    """Write a frame (pbbp2.Frame): proto2, all of its numbers, then headers and payload."""

    def text(field: int, value: bytes) -> bytes:
        return bytes([field * 8 + 2]) + _number(len(value)) + value

    out = b"\x08\x01\x10\x02\x18" + _number(SERVICE_ID) + b"\x20" + _number(method)
    for key, value in headers.items():
        out += text(5, text(1, key.encode()) + text(2, value.encode()))
    return out + (text(8, payload) if payload else b"")


def unpack(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Read a frame; gives its method, headers and payload."""
    method, headers, payload = -1, {}, b""
    for field, value in _walk(data):
        if field == 4 and isinstance(value, int):
            method = value
        elif field == 5 and isinstance(value, bytes):
            pair = dict(_walk(value))
            headers[bytes(pair[1]).decode()] = bytes(pair[2]).decode()
        elif field == 8 and isinstance(value, bytes):
            payload = value
    return method, headers, payload


def _walk(data: bytes) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    rest = data
    while rest:
        tag, rest = _take(rest)
        value, rest = _take(rest)
        if tag % 8 == 2:
            found.append((tag // 8, rest[:value]))
            rest = rest[value:]
        else:
            found.append((tag // 8, value))
    return found


def _take(data: bytes) -> tuple[int, bytes]:
    value = 0
    for index, byte in enumerate(data):
        value += byte % 128 * 128**index
        if byte < 128:
            return value, data[index + 1 :]
    raise ValueError("the number does not end")


class LongConnections:
    """The connections of one app; each event goes to one of them."""

    def __init__(self, config: FeishuConfig) -> None:
        """Start with none; the websocket listens once somebody asks for its address."""
        self._config = config
        self._open: list[ServerConnection] = []
        self._answers: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._port = 0
        self.pings = 0

    def address(self, host: str) -> str:
        """Give the websocket's address for a client that reached the API at ``host``."""
        with self._changed:
            if not self._port:
                server = serve(self._handle, "127.0.0.1" if host == "127.0.0.1" else "", 0)
                self._port = server.socket.getsockname()[1]
                threading.Thread(target=server.serve_forever, name="feishu-websocket", daemon=True).start()
        return f"ws://{host}:{self._port}/?device_id={uuid.uuid4().hex}&service_id={SERVICE_ID}"

    @property
    def count(self) -> int:
        """How many connections are open."""
        with self._changed:
            return len(self._open)

    def push(self, event: object, parts: int) -> dict[str, Any]:
        """Hand an event to one connection, in so many frames, and give its answer.

        Returns:
            the answer, with ``data`` decoded; its ``code`` is 0 when none came within 3 seconds.
        """
        payload = json.dumps(event, ensure_ascii=False).encode()
        message_id = uuid.uuid4().hex
        size = -(-len(payload) // parts)
        with self._changed:
            if not self._open:
                return {"code": 0, "problem": "no connection"}
            connection = random.choice(self._open)
        for number in range(parts):
            headers = {
                "type": "event",
                "message_id": message_id,
                "trace_id": uuid.uuid4().hex,
                "sum": str(parts),
                "seq": str(number),
            }
            connection.send(pack(_DATA, headers, payload[number * size : (number + 1) * size]))
        with self._changed:
            self._changed.wait_for(lambda: message_id in self._answers, ANSWER_SECONDS)
            answer = self._answers.pop(message_id, {"code": 0})
        if isinstance(answer.get("data"), str):
            answer["data"] = json.loads(base64.b64decode(answer["data"]))
        return answer

    def drop(self) -> None:
        """Close all connections."""
        with self._changed:
            connections = list(self._open)
        for connection in connections:
            connection.close()

    def _handle(self, connection: ServerConnection) -> None:
        with self._changed:
            self._open.append(connection)
            self._changed.notify_all()
        try:
            for message in connection:
                if isinstance(message, bytes):
                    self._read(connection, message)
        except ConnectionClosed:
            pass
        finally:
            with self._changed:
                self._open.remove(connection)

    def _read(self, connection: ServerConnection, message: bytes) -> None:
        method, headers, payload = unpack(message)
        if method == _CONTROL and headers.get("type") == "ping":
            self.pings += 1
            connection.send(pack(_CONTROL, {"type": "pong"}, json.dumps(self.client_config()).encode()))
        elif method == _DATA:
            with self._changed:
                self._answers[headers["message_id"]] = json.loads(payload)
                self._changed.notify_all()

    def client_config(self) -> dict[str, int]:
        """Give what clients are told about pauses, in seconds."""
        return {
            "ReconnectCount": -1,
            "ReconnectInterval": self._config.reconnect_seconds,
            "ReconnectNonce": self._config.reconnect_seconds,
            "PingInterval": 120,
        }


def add_connection_routes(app: Flask, connections: LongConnections) -> None:
    """Add the call for the address, and the pages for tests, to ``app``."""

    @app.post("/callback/ws/endpoint")
    def endpoint() -> ResponseReturnValue:
        document = request.get_json(force=True, silent=True)
        document = document if isinstance(document, dict) else {}
        config = connections._config
        if (document.get("AppID"), document.get("AppSecret")) != (config.app_id, config.app_secret):
            return jsonify(code=514, msg="auth failed")
        host = request.host.rsplit(":", 1)[0]
        data = {"URL": connections.address(host), "ClientConfig": connections.client_config()}
        return jsonify(code=0, msg="", data=data)

    @app.post("/_push")
    def push() -> ResponseReturnValue:
        document = request.get_json(force=True, silent=True)
        if not isinstance(document, dict) or not isinstance(document.get("event"), dict):
            return jsonify(error='the body must be an object with the object "event"'), 400
        return jsonify(connections.push(document["event"], int(document.get("parts", 1))))

    @app.post("/_drop")
    def drop() -> ResponseReturnValue:
        connections.drop()
        return jsonify(status="ok")

    @app.get("/_connections")
    def count() -> ResponseReturnValue:
        return jsonify(open=connections.count, pings=connections.pings)
