"""The web chat's requests: conversations, streams, ratings, the access code, and pages of other sites."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.integration.app.conftest import Maker
from tests.integration.app.process import SECRETS, Assistant, until
from tests.integration.app.story import STORY, told_by

CODE = SECRETS["web_chat_access_code"]
LONG = {"ASSISTANT_MAX_TOKENS": "120"}


class Visitor:
    """Somebody with cookies of his own."""

    def __init__(self, assistant: Assistant, **headers: str) -> None:
        self.client = httpx.Client(base_url=assistant.url, trust_env=False, timeout=60, headers=headers)
        self._count = 0

    def say(self, text: str, **more: Any) -> str:
        self._count += 1
        number = f"message-{self._count:04}"
        self.client.post("/chat/messages", json={"id": number, "text": text, **more}).raise_for_status()
        return number

    def messages(self) -> list[dict[str, Any]]:
        return list(self.client.get("/chat/messages").raise_for_status().json()["messages"])

    def answer(self, number: str) -> dict[str, Any]:
        return until(
            "the answer",
            lambda: next((m for m in self.messages() if m["id"] == number and m["reply"] is not None), None),
        )

    def stream(self, number: str) -> list[dict[str, Any]]:
        """Follow the answer to its end; a stream that ends before is opened again, as the page does."""
        told: list[dict[str, Any]] = []
        while not told or "end" not in told[-1]:
            with self.client.stream("GET", f"/chat/messages/{number}/stream") as response:
                assert response.status_code == 200
                told += [json.loads(line) for line in response.iter_lines()]
        return told


@pytest.fixture(scope="module")
def chat(make_assistant: Maker) -> Assistant:
    made = make_assistant(LONG)
    made.start()
    return made


@pytest.fixture
def storyteller(make_assistant: Maker) -> Iterator[Assistant]:
    with told_by(make_assistant) as made:
        yield made


@pytest.fixture
def locked(make_assistant: Maker) -> Assistant:
    made = make_assistant({"ASSISTANT_WEB_CHAT_ACCESS": "code"})
    made.start()
    return made


def error_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_page_needs_nothing_but_its_own_files(chat: Assistant) -> None:
    page = chat.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    # An upgrade must not mix old files with new ones.
    for name in ("/", "/static/chat.js", "/static/chat.css"):
        response = chat.get(name)
        assert response.headers["Cache-Control"].startswith("no-cache"), name
        assert chat.get(name, headers={"If-None-Match": response.headers["ETag"]}).status_code == 304
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_conversations_are_apart_and_the_same_message_counts_once(chat: Assistant) -> None:
    body = {"id": "0123456789abcdef", "text": "/help"}
    first = chat.post("/chat/messages", json=body)
    assert first.status_code == 202
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    mine = {"Cookie": cookie.split(";")[0]}
    assert chat.post("/chat/messages", json=body, headers=mine).status_code == 202
    found = until(
        "the answer",
        lambda: [m for m in chat.get("/chat/messages", headers=mine).json()["messages"] if m["reply"]],
    )
    assert [m["id"] for m in found] == ["0123456789abcdef"]
    assert chat.get("/chat/messages").json() == {"messages": []}
    stranger = {"Cookie": "conversation=" + "A" * 43}
    assert chat.get("/chat/messages", headers=stranger).json() == {"messages": []}
    # Behind the proxy the browser speaks TLS, and then the cookie may not travel without it.
    secure = chat.post("/chat/messages", json=body, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in secure.headers["Set-Cookie"]


def test_flood_is_refused_but_a_repetition_is_not(chat: Assistant) -> None:
    visitor = Visitor(chat)
    chat.hold.touch()
    try:
        answers = [
            visitor.client.post("/chat/messages", json={"id": f"aaaaaaaa{n}", "text": "HOLD"}).status_code
            for n in (0, 1, 2, 3, 4, 1)
        ]
    finally:
        chat.hold.unlink()
    assert answers == [202, 202, 202, 429, 429, 202]


@pytest.mark.parametrize(
    "language", [("en", "Write me a message"), ("zh", "直接给我发消息"), ("", "Write me a message")]
)
def test_commands_are_answered_in_the_pages_language(chat: Assistant, language: tuple[str, str]) -> None:
    visitor = Visitor(chat)
    answer = visitor.answer(visitor.say("/help", language=language[0]))
    assert answer["reply"].startswith(language[1])
    assert (answer["failed"], answer["rateable"]) == (False, False)


def test_an_answer_is_streamed(storyteller: Assistant) -> None:
    visitor = Visitor(storyteller)
    number = visitor.say("Tell me a long story.")
    arrived: list[float] = []
    told = []
    with visitor.client.stream("GET", f"/chat/messages/{number}/stream") as response:
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["Cache-Control"] == "no-store"
        for line in response.iter_lines():
            arrived.append(time.monotonic())
            told.append(json.loads(line))
    pieces = [line["text"] for line in told if "text" in line]
    end = told[-1]["end"]
    # Not all at once, and together what is stored.
    assert len(pieces) > 2
    assert len(set(arrived)) > 2
    assert "".join(pieces).strip() == end["reply"] == "".join(STORY)
    stored = visitor.answer(number)
    assert {name: stored[name] for name in end} == end
    assert end["rateable"] is True
    # Who comes later is told at once.
    assert visitor.stream(number) == [{"end": end}]


def test_a_stream_belongs_to_its_conversation(chat: Assistant) -> None:
    visitor = Visitor(chat)
    number = visitor.say("/help")
    visitor.answer(number)
    for other in (Visitor(chat), Visitor(chat, Cookie="conversation=" + "A" * 43)):
        assert error_of(other.client.get(f"/chat/messages/{number}/stream")) == (404, "unknown_message")
    assert error_of(visitor.client.get("/chat/messages/short/stream")) == (400, "invalid_id")


def test_many_streams_leave_the_service_free(chat: Assistant) -> None:
    chat.hold.touch()
    opened: list[Any] = []
    try:
        statuses = []
        for _ in range(20):
            visitor = Visitor(chat)
            number = visitor.say("HOLD")
            request = visitor.client.build_request("GET", f"/chat/messages/{number}/stream")
            opened.append(visitor.client.send(request, stream=True))
            statuses.append(opened[-1].status_code)
        # 16 are streamed; the rest ask from time to time; and everything else works.
        assert statuses == [200] * 16 + [503] * 4
        assert opened[-1].headers["Retry-After"] == "2"
        assert chat.get("/healthz").status_code == 200
        assert visitor.messages()[0]["reply"] is None
        # A page that leaves gives its place back.
        opened.pop(0).close()
        place = lambda: visitor.client.send(request, stream=True)  # noqa: E731 - used below only
        freed = until("a free place", lambda: r if (r := place()).status_code == 200 else r.close())
        freed.close()
    finally:
        chat.hold.unlink()
        for response in opened:
            response.close()


def test_ratings(chat: Assistant) -> None:
    visitor = Visitor(chat)
    number, command = visitor.say("Hello!"), visitor.say("/help")
    answer = visitor.answer(number)
    visitor.answer(command)
    rate: Callable[..., httpx.Response] = lambda who, **body: who.client.post("/chat/ratings", json=body)  # noqa: E731
    scores = lambda: chat.rows(  # noqa: E731
        f"SELECT platform, score FROM ratings WHERE inbox_id = {answer['number']}"
    )
    assert rate(visitor, id=number, score=1).json() == {"rated": True}
    assert [tuple(row) for row in scores()] == [("web_chat", 1)]
    assert rate(visitor, id=number, score=-1).status_code == 200
    assert [tuple(row) for row in scores()] == [("web_chat", -1)]
    # What is not the visitor's, or no model's answer, cannot be rated.
    assert error_of(rate(Visitor(chat), id=number, score=1)) == (404, "unknown_answer")
    assert error_of(rate(visitor, id=command, score=1)) == (404, "unknown_answer")
    assert error_of(rate(visitor, id="unknown-message", score=1)) == (404, "unknown_answer")
    for score in (0, 2, True, "1", None, [], {}):
        assert error_of(rate(visitor, id=number, score=score)) == (400, "invalid_score")
    for wrong in (None, 5, [], "x"):
        assert error_of(rate(visitor, id=wrong, score=1)) == (400, "invalid_id")
    assert [tuple(row) for row in scores()] == [("web_chat", -1)]


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://[broken"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_pages_of_other_sites_can_do_nothing(chat: Assistant, headers: dict[str, str]) -> None:
    before = chat.count("inbox")
    visitor = Visitor(chat, **headers)
    for method, path, body in (
        ("POST", "/chat/messages", {"id": "0123456789", "text": "/help"}),
        ("POST", "/chat/ratings", {"id": "0123456789", "score": 1}),
        ("POST", "/chat/access", {"code": CODE}),
        ("DELETE", "/chat/conversation", None),
    ):
        response = visitor.client.request(method, path, json=body)
        assert error_of(response) == (403, "foreign_page"), path
        assert "Set-Cookie" not in response.headers
    assert chat.count("inbox") == before


def test_the_own_page_may(chat: Assistant) -> None:
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": chat.url}, {"Origin": "https://127.0.0.1"}):
        assert Visitor(chat, **headers).say("/help")


def test_nothing_works_without_the_code(locked: Assistant) -> None:
    visitor = Visitor(locked)
    for method, path, body in (
        ("GET", "/chat/messages", None),
        ("GET", "/chat/messages/0123456789/stream", None),
        ("POST", "/chat/messages", {"id": "0123456789", "text": "hello"}),
        ("POST", "/chat/ratings", {"id": "0123456789", "score": 1}),
        ("DELETE", "/chat/conversation", None),
    ):
        for cookie in ("", "x", "a.b.c", CODE):
            headers = {"Cookie": f"access={cookie}"} if cookie else {}
            response = visitor.client.request(method, path, json=body, headers=headers)
            assert error_of(response) == (401, "access_code_required"), path
            assert "Set-Cookie" not in response.headers
    assert (locked.count("inbox"), locked.count("conversations")) == (0, 0)
    # The page itself can be seen: it asks for the code.
    assert visitor.client.get("/").status_code == 200
    # The other doors have proofs of their own.
    assert visitor.client.get("/healthz").status_code == 200
    assert visitor.client.get("/v1/models").status_code == 401


def test_the_code_lets_in_until_it_changes(locked: Assistant) -> None:
    visitor = Visitor(locked)
    entered = visitor.client.post("/chat/access", json={"code": CODE}, headers={"X-Forwarded-Proto": "https"})
    assert entered.status_code == 200
    cookie = entered.headers["Set-Cookie"]
    for attribute in ("HttpOnly", "SameSite=Strict", "Secure", "Max-Age=2592000"):
        assert attribute in cookie
    access = cookie.split(";")[0]
    assert CODE not in access
    inside = Visitor(locked, Cookie=access)
    assert inside.messages() == []
    assert inside.client.post("/chat/messages", json={"id": "0123456789", "text": "/help"}).status_code == 202

    locked.stop()
    locked.start()
    assert Visitor(locked, Cookie=access).messages() == []
    locked.stop()
    (locked.directory / "secrets" / "web_chat_access_code").write_text("another code 5678\n")
    locked.start()
    assert error_of(Visitor(locked, Cookie=access).client.get("/chat/messages"))[0] == 401
    assert CODE not in locked.log()


def test_guessing_the_code_is_slowed_down(locked: Assistant) -> None:
    # What nginx says of the address is believed, and only the last of what the header holds.
    def guess(code: Any, address: str) -> httpx.Response:
        return locked.post("/chat/access", json={"code": code}, headers={"X-Forwarded-For": address})

    assert [guess("wrong", f"192.0.2.{n}, 203.0.113.7").status_code for n in range(7)] == [403] * 5 + [
        429
    ] * 2
    late = guess(CODE, "203.0.113.7")
    assert error_of(late) == (429, "too_many_codes")
    assert 0 < int(late.headers["Retry-After"]) <= 900
    assert guess(CODE, "203.0.113.8").status_code == 200
    for code in (None, 5, "", [], "x" * 201):
        assert error_of(guess(code, "203.0.113.9")) == (400, "invalid_code")
    assert CODE not in locked.log()
    assert "203.0.113" not in locked.log()
