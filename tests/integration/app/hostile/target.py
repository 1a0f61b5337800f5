"""The assistant under fire: sends what it is told, counts the answers, and judges what is left behind."""

import http.client
import json
import socket
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.integration.app.process import SECRETS, Assistant

TIMEOUT_SECONDS = 30.0
# A request with which nobody has proved anything may not leave a row in these.
TABLES = ("inbox", "conversations", "outbox", "messages")


@dataclass(frozen=True)
class Answer:
    """What came back; ``status`` 0 when the connection was closed without an answer."""

    status: int
    body: bytes


class Target:
    """One running assistant."""

    def __init__(self, assistant: Assistant, counts: Counter[str]) -> None:
        """Begin with what is in the database now."""
        self.assistant, self._counts = assistant, counts
        self._connection = self._connect()
        self._kept = assistant.count("inbox")
        self._may_be_kept = 0
        entered = assistant.post("/chat/access", json={"code": SECRETS["web_chat_access_code"]})
        self.access = entered.cookies["access"]

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.assistant.port, timeout=TIMEOUT_SECONDS)

    def send(
        self, method: str, path: str, body: bytes, headers: list[tuple[str, bytes]], *, proved: bool = False
    ) -> Answer:
        """Send a request and return the answer, which must be none of a server's fault.

        With ``proved`` the sender has a right to be heard, and a 2xx may leave one row behind.
        """
        try:
            self._put(method, path, body, headers)
            answer = self._read()
        except (OSError, http.client.HTTPException):
            # gunicorn closes connections that were idle, or whose request it refused before reading it all.
            self._connection.close()
            self._put(method, path, body, headers)
            answer = self._read()
        self.note(answer, proved=proved)
        return answer

    def _put(self, method: str, path: str, body: bytes, headers: list[tuple[str, bytes]]) -> None:
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            self._connection.putheader(name, value)
        self._connection.putheader("Content-Length", str(len(body)))
        self._connection.endheaders(body)

    def _read(self) -> Answer:
        response = self._connection.getresponse()
        return Answer(response.status, response.read())

    def send_raw(self, data: bytes) -> Answer:
        """Send bytes that may be no HTTP at all, say that there are no more, and return the answer."""
        with socket.create_connection(("127.0.0.1", self.assistant.port), TIMEOUT_SECONDS) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                received = b""
                while piece := connection.recv(65536):
                    received += piece
            except ConnectionError:
                received = b""
        head = received.split(b"\r\n", 1)[0].split()
        answer = Answer(int(head[1]) if len(head) > 1 and head[1].isdigit() else 0, received)
        self.note(answer)
        return answer

    def note(self, answer: Answer, *, proved: bool = False) -> None:
        """Count an answer, and refuse one that is the server's fault."""
        self._counts[f"{answer.status // 100}xx" if answer.status else "closed"] += 1
        self._may_be_kept += proved and 200 <= answer.status < 300
        assert answer.status < 500, f"{answer.status}: {answer.body[:300]!r}\n{self.assistant.log()[-3000:]}"
        assert b"Traceback" not in answer.body

    def refuses(self, answer: Answer) -> None:
        """Assert that ``answer`` keeps an unproven sender out."""
        assert not 200 <= answer.status < 300, answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def judge(self) -> None:
        """Assert that it still serves, that it met no fault, and that it kept nothing but what was proved."""
        assert self.assistant.get("/healthz").status_code == 200
        log = self.assistant.log()
        # The log names a fault's places instead of printing a traceback, in which texts could stand.
        for mark in ("Traceback", '"trace":'):
            assert mark not in log, log[max(0, log.index(mark) - 500) :][:3000]
        assert '"log.level":"critical"' not in log
        new = self.assistant.count("inbox") - self._kept
        assert new <= self._may_be_kept, f"{new} rows, {self._may_be_kept} messages with a right to one"


def as_json(value: Any) -> bytes:
    """Return ``value`` as JSON, lone surrogates and not-a-numbers included."""
    return json.dumps(value).encode()
