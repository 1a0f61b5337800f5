"""``python -m assistant inbox``: what it prints, what it refuses, and its exit status."""

import json
from pathlib import Path

import pytest

from assistant.__main__ import main
from assistant.cli.inbox import age
from assistant.messages import Incoming
from assistant.store.dead_letters import DeadLetters, Key, Kind
from tests.unit.app.conftest import Store

PRIVATE = ("a very private sentence", "oc_private_chat", "om_private", "answer in private")


@pytest.fixture(autouse=True)
def environment(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's database, and neither a model nor any other setting: the command needs none."""
    monkeypatch.setenv("ASSISTANT_DATABASE_URL", f"sqlite:///{tmp_path}/test.db")
    monkeypatch.setenv("ASSISTANT_SECRETS_DIR", str(tmp_path / "secrets"))
    monkeypatch.delenv("MODEL_PATH", raising=False)


class Screen:
    """Runs the command line and keeps what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, status: int = 0) -> str:
        """Return what ``arguments`` print: on stdout for status 0, on stderr otherwise."""
        try:
            got = main(["inbox", *arguments])
        except SystemExit as end:
            got = int(str(end.code))
        self.out, self.err = self._capsys.readouterr()
        assert got == status, self.out + self.err
        return self.err if status else self.out


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str]) -> Screen:
    return Screen(capsys)


def message(store: Store, number: int = 1, platform: str = "feishu", *, dead: bool = True) -> str:
    found = store.inbox.accept(
        Incoming(platform, f"om_private{number}", "oc_private_chat", f"a very private sentence {number}")
    )
    assert found is not None
    if dead:
        claim = store.inbox.claim()
        assert claim is not None
        store.inbox.finish(
            claim, "answer in private", push=platform == "feishu", remember=False, dead_reason="RequestError"
        )
    return f"inbox-{found}"


def reply(store: Store) -> str:
    """The reply to a message is given up."""
    message(store, dead=False)
    claim = store.inbox.claim()
    assert claim is not None
    store.inbox.finish(claim, "answer in private\nline two\x1b[2J", push=True, remember=True)
    delivery = store.outbox.claim(["feishu"])
    assert delivery is not None
    store.outbox.give_up(delivery, "feishu code 230011")
    return f"outbox-{delivery.outbox_id}"


def states(screen: Screen) -> dict[str, str]:
    entries = json.loads(screen("list", "--state", "all", "--json"))["entries"]
    return {e["id"]: e["state"] for e in entries}


def test_list_shows_what_was_given_up(store: Store, screen: Screen) -> None:
    assert screen("list") == "Nothing was given up.\n"
    replied = reply(store)
    store.clock.now += 7500
    asked = message(store, 2)
    store.clock.now += 61
    head, one, two = screen("list").splitlines()
    assert head.split() == ["ID", "KIND", "CHANNEL", "STATE", "AGE", "ATTEMPTS", "REASON"]
    words = [replied, "outbox", "feishu", "given-up", "2", "h", "6", "min", "1", "feishu", "code", "230011"]
    assert one.split() == words
    assert two.split() == [asked, "inbox", "feishu", "given-up", "1", "min", "1", "s", "1", "RequestError"]
    assert one.index("230011") > head.index("REASON") == two.index("RequestError")
    first = screen("list", "--limit", "1")
    assert replied in first and asked not in first
    assert "the oldest 1 of 2; --limit 2 shows all" in first


def test_list_as_json_and_by_state(store: Store, screen: Screen) -> None:
    message(store, dead=False)
    store.clock.now += 5
    assert json.loads(screen("list", "--json")) == {"entries": [], "total": 0}
    assert screen("list", "--state", "working") == "Nothing (--state working).\n"
    assert json.loads(screen("list", "--state", "waiting", "--json")) == {
        "entries": [
            {
                "id": "inbox-1",
                "kind": "inbox",
                "channel": "feishu",
                "state": "waiting",
                "age_seconds": 5.0,
                "attempts": 0,
                "reason": "",
            }
        ],
        "total": 1,
    }


def test_show_hides_what_is_personal(store: Store, screen: Screen) -> None:
    for key in (reply(store), "inbox-1"):
        shown = screen("show", key)
        assert not [p for p in PRIVATE if p in shown]
        assert "characters); --text shows it" in shown
        assert "attempts:" in shown
    assert "feishu code 230011" in screen("show", "outbox-1")
    assert "1970-01-12 13:46:40 UTC" in screen("show", "outbox-1"), "times are readable"
    assert "outbox-1" in screen("show", "inbox-1"), "a message names its reply"


def test_show_with_the_text(store: Store, screen: Screen) -> None:
    key = reply(store)
    shown = screen("show", key, "--text")
    assert "answer in private" in shown and "oc_private_chat" in shown
    assert "line two\\x1b[2J" in shown, "codes for the terminal are written out"
    assert "\x1b" not in shown
    assert "om_private1" in screen("show", "inbox-1", "--text")


def test_retry_by_id(store: Store, screen: Screen) -> None:
    replied = reply(store)
    asked, other = message(store, 2), message(store, 3)
    out = screen("retry", replied, asked)
    assert f"{asked}: put back, to be answered again (given up: RequestError)" in out
    assert f"{replied}: put back, to be sent again (given up: feishu code 230011)" in out
    assert out.endswith("2 dead letters put back.\n")
    now = states(screen)
    assert (now[replied], now[asked], now[other]) == ("waiting", "waiting", "given-up")


def test_retry_all_leaves_calls_whose_caller_is_gone(store: Store, screen: Screen) -> None:
    call, asked = message(store, 1, "api"), message(store, 2)
    # The apology for a message was given up too: it must not be sent beside the answer.
    delivery = store.outbox.claim(["feishu"])
    assert delivery is not None
    store.outbox.give_up(delivery, "feishu code 230011")
    out = screen("retry", "--all")
    assert f"{call}: left as it is" in out
    assert f"its apology outbox-{delivery.outbox_id} makes room" in out
    assert out.endswith("1 dead letter put back.\n")
    assert states(screen) == {call: "given-up", asked: "waiting"}
    assert "its caller is gone; discard it\nNothing was changed." in screen("retry", call, status=1)
    screen("discard", call, "--yes")
    assert screen("retry", "--all") == "Nothing was given up.\n"


def test_discard_wants_a_yes(store: Store, screen: Screen) -> None:
    key, other = message(store, 1), message(store, 2)
    assert f"1 dead letter would be discarded ({key}); add --yes" in screen("discard", key, status=2)
    assert states(screen)[key] == "given-up"
    out = screen("discard", key, "--yes")
    assert f"{key}: discarded (given up: RequestError)" in out
    assert "1 dead letter discarded; still there under list --state discarded." in out
    assert (states(screen)[key], states(screen)[other]) == ("discarded", "given-up")
    assert "2 dead letters" not in screen("discard", "--all", "--yes")
    assert store.outbox.dead_letters() == 0
    assert screen("discard", "--all", "--yes") == "Nothing was given up.\n"


@pytest.mark.parametrize("action", [("retry",), ("discard", "--yes")])
def test_one_wrong_id_changes_nothing(store: Store, screen: Screen, action: tuple[str, ...]) -> None:
    key = message(store)
    waiting = message(store, 2, dead=False)
    err = screen(*action, key, "inbox-99", waiting, status=1)
    assert "inbox-99: there is no such message or reply" in err
    assert f"{waiting}: is waiting, not given up" in err
    assert err.endswith("Nothing was changed.\n")
    assert screen.out == ""
    assert states(screen)[key] == "given-up"


def test_somebody_else_was_faster(store: Store, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    key, other = message(store, 1), message(store, 2)
    retry = DeadLetters.retry

    def late(self: DeadLetters, wanted: Key) -> object:
        if str(wanted) == key:
            retry(self, wanted)
        return retry(self, wanted)

    monkeypatch.setattr(DeadLetters, "retry", late)
    assert f"{key}: somebody else has changed it meanwhile" in screen("retry", "--all", status=1)
    assert f"{other}: put back" in screen.out
    assert screen.out.endswith("1 dead letter put back.\n")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("retry", "12"), "inbox-12 or outbox-12"),
        (("show", "message-12"), "inbox-12 or outbox-7"),
        (("show", "inbox-" + "9" * 30), "is no id"),
        (("retry",), "--all"),
        (("retry", "inbox-1", "--all"), "--all"),
        (("discard", "--yes"), "--all"),
        (("list", "--limit", "0"), "0 is no whole number from 1 on"),
        (("list", "--state", "dead"), "given-up"),
        ((), "action"),
    ],
)
def test_wrong_command_line(screen: Screen, arguments: tuple[str, ...], word: str) -> None:
    assert word in screen(*arguments, status=2)


def test_unknown_id(screen: Screen) -> None:
    assert "inbox-5: there is no such message or reply; `python3" in screen("show", "inbox-5", status=1)


def test_database_that_is_not_there(screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "missing.db"
    monkeypatch.setenv("ASSISTANT_DATABASE_URL", f"sqlite:///{missing}")
    err = screen("list", status=1)
    assert f"the SQLite file {missing} is not there" in err and "docker exec ai-core" in err
    assert not missing.exists(), "SQLite must not make one"
    missing.touch()
    assert "has no tables of the assistant" in screen("list", status=1)
    missing.write_bytes(b"no database" * 1000)
    assert "cannot be used (DatabaseError)" in screen("list", status=1)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("postgresql://me:secret-word@127.0.0.1:9/assistant", "assistant on 127.0.0.1 cannot be used (Oper"),
        ("postgresql://me:secret-word@host:port/assistant", "is no address of a database"),
        ("mysql://me:secret-word@host/assistant", "must begin with sqlite:/// or postgresql://"),
    ],
)
@pytest.mark.parametrize("as_secret", [True, False])
def test_address_that_is_wrong(
    screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, word: str, as_secret: bool
) -> None:
    if as_secret:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "database_url").write_text(url)
    else:
        monkeypatch.setenv("ASSISTANT_DATABASE_URL", url)
    err = screen("list", status=1)
    assert word in err
    assert "secret-word" not in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (3605, "1 h"), (3665, "1 h 1 min"), (180000, "2 d 2 h")],
)
def test_age(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_key_is_written_as_it_is_read() -> None:
    assert str(Key(Kind.OUTBOX, 7)) == "outbox-7"
