"""The demo's web chat through nginx: open, streamed as it is made, closed to other sites' pages."""

from __future__ import annotations

import json
import ssl
import uuid
from collections.abc import Iterator

import httpx
import pytest

from tests.machines_verify.machine_access import INFO


@pytest.fixture
def visitor() -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=INFO["ca_file"])
    with httpx.Client(base_url=INFO["https_url"], verify=context, trust_env=False, timeout=60) as client:
        yield client


def streamed(visitor: httpx.Client, number: str) -> list[bytes]:
    """Ask something that nobody has asked before, and return what comes of the answer, piece by piece."""
    asked = visitor.post("/chat/messages", json={"id": number, "text": f"What can you do? {number}"})
    assert asked.status_code == 202, asked.text
    if "Set-Cookie" in asked.headers:
        for attribute in ("HttpOnly", "Secure", "SameSite=Strict"):
            assert attribute in asked.headers["Set-Cookie"]
    chunks: list[bytes] = []
    while b'"end"' not in b"".join(chunks):
        with visitor.stream("GET", f"/chat/messages/{number}/stream") as response:
            assert response.status_code == 200
            chunks += list(response.iter_raw())
    return chunks


def test_an_answer_comes_word_by_word(visitor: httpx.Client) -> None:
    # nginx hands on each piece as it comes: an answer that it gathered would come as one, each time. The
    # demonstration model may be at its end, on a quick machine, before anybody looks; not thirty times.
    for _ in range(30):
        number = uuid.uuid4().hex
        chunks = streamed(visitor, number)
        if len(chunks) > 2:
            break
    assert len(chunks) > 2
    assert visitor.cookies
    lines = [json.loads(line) for line in b"".join(chunks).splitlines()]
    pieces = "".join(line["text"] for line in lines if "text" in line)
    assert pieces.strip() == lines[-1]["end"]["reply"]
    rated = visitor.post("/chat/ratings", json={"id": number, "score": 1})
    assert rated.json() == {"rated": True}


def test_other_sites_pages_are_refused(visitor: httpx.Client) -> None:
    body = {"id": uuid.uuid4().hex, "text": "/help"}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert visitor.post("/chat/messages", json=body, headers=headers).status_code == 403
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": INFO["https_url"]}):
        assert visitor.post("/chat/messages", json=body, headers=headers).status_code == 202
