from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from tests.secret_search import Finding, Searcher, forms, told

SECRET = 'aB3/+"x\\=zQ 98:Ü7kk'


def found_in(text: str | bytes, secret: str = SECRET) -> set[str]:
    stream = io.BytesIO(text.encode() if isinstance(text, str) else text)
    return {finding.form for finding in Searcher({"one": secret}).search("a log", stream)}


@pytest.mark.parametrize(
    "written",
    [
        lambda s: f"password={s}.",
        lambda s: json.dumps({"line": s}),
        lambda s: json.dumps({"log": json.dumps({"line": s})}),
        lambda s: json.dumps({"line": s}).replace("/", "\\/"),
        lambda s: f"GET /?token={quote(s, safe='')}&a=1",
        lambda s: f"GET /{quote(s)}",
        lambda s: binascii.hexlify(s.encode()).decode(),
        lambda s: binascii.hexlify(s.encode()).decode().upper(),
        *(
            lambda s, before=before: base64.b64encode(f"{before}{s} and more".encode()).decode()
            for before in ("", "x", "xy", "xyz", "user:")
        ),
        lambda s: base64.urlsafe_b64encode(f"a:{s}?".encode()).decode(),
    ],
)
def test_each_form_is_found(written: Callable[[str], str]) -> None:
    assert found_in(written(SECRET))


def test_plus_for_a_space_is_found_where_there_is_none() -> None:
    value = "1234567890:AAE-x_yz/QQ"
    assert found_in(quote_plus(value), value)


@pytest.mark.parametrize(
    "text", ["", "nothing", SECRET[:-1], SECRET[1:], SECRET.lower(), base64.b64encode(b"other" * 9).decode()]
)
def test_what_is_not_the_secret_is_not_found(text: str) -> None:
    assert not found_in(text)


def test_a_secret_across_two_pieces_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.secret_search._CHUNK", 7)
    for before in range(20):
        assert found_in("." * before + SECRET + "." * 9), before


def test_a_finding_names_the_secret_and_never_shows_it() -> None:
    searcher = Searcher({"vault_one": SECRET, "vault_two": "other-secret"})
    found = searcher.search("syslog", io.BytesIO(f"... {SECRET} ...".encode()))
    assert found == {Finding("vault_one", "as it is", "syslog")}
    assert told(found) == "vault_one (as it is) in syslog"
    assert searcher.searched == {"syslog": len(SECRET.encode()) + 8}


def test_forms_that_are_equal_are_searched_once() -> None:
    coded = list(forms("onlyletters1").values())
    assert len(coded) == len(set(coded))


@pytest.mark.parametrize("secrets", [{}, {"vault_short": "abc"}])
def test_what_cannot_be_searched_is_refused(secrets: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"no secrets|vault_short: a secret has 3 bytes"):
        Searcher(secrets)
