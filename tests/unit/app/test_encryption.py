"""What people write, sealed in the database: keys, columns, the check at the start."""

import base64
import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text, update

from assistant.__main__ import main
from assistant.messages import Incoming
from assistant.store import Database, Inbox, Outbox, migrate
from assistant.store import migrate as migrate_function
from assistant.store.encrypted import encrypted_columns
from assistant.store.key_check import WrongKeyError
from assistant.store.keyring import MARK, Keyring, KeysError, UnreadableError, key_id, sealed_with
from assistant.store.models import Base, HistoryRow, InboxRow, OutboxRow
from assistant.store.notices import Notices
from assistant.store.retention import find
from assistant.store.unreadable import PAUSE_SECONDS, UnreadableRow

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
WORDS = "canary 金丝雀 sings"
LEASE = 15.0


def line(key: bytes) -> str:
    return base64.b64encode(key).decode()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture
def opened(url: str) -> Iterator[Any]:
    made: list[Database] = []

    def with_keys(*keys: bytes, write_plain: bool = False) -> Database:
        database = Database(url, Keyring(keys, write_plain=write_plain))
        made.append(database)
        migrate(database)
        return database

    yield with_keys
    for database in made:
        database.close()


def fill(database: Database, number: int = 1, words: str = WORDS) -> int:
    """A message with everything that people write in it, answered and remembered."""
    message = Incoming(
        "feishu",
        f"om_{number}",
        f"oc_{number}",
        f"{words} asks {number}",
        payload={"messages": [{"role": "user", "content": f"{words} said"}], "seed": 7},
        sender="ou_a",
    )
    inbox = Inbox(database, LEASE)
    found = inbox.accept(message)
    claim = inbox.claim()
    assert found is not None and claim is not None
    inbox.finish(claim, f"{words} replies", push=True, remember=True)
    return found


def stored(database: Database) -> str:
    """Every column of every table, as it is stored."""
    with database.read() as session:
        tables = [session.execute(text(f"SELECT * FROM {t.name}")).all() for t in Base.metadata.sorted_tables]
    return repr(tables)


def forms(words: str) -> list[bytes]:
    """How ``words`` may be found in a file: as they are, and in JSON."""
    return [words.encode(), json.dumps(words)[1:-1].encode()]


def test_keys_are_read_one_a_line() -> None:
    ring = Keyring.parse(f"\n {line(NEW)} \n{base64.urlsafe_b64encode(OLD).decode()}\n")
    assert ring.identifiers == (key_id(NEW), key_id(OLD))
    assert ring.first == key_id(NEW)
    assert Keyring.parse(f"plain\n{line(OLD)}").first == ""
    assert Keyring.parse("").identifiers == ()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("a pass phrase", ["line 1", "32 bytes in base64", "openssl rand -base64 32"]),
        (f"{line(OLD)}\nc2hvcnQ=", ["line 2"]),
        (f"{line(OLD)}\nplain", ["line 2"]),
        (f"{line(OLD)}\n{line(OLD)}", ["line 2", "same key"]),
    ],
)
def test_what_is_no_key_is_named_and_not_quoted(written: str, words: list[str]) -> None:
    with pytest.raises(KeysError) as caught:
        Keyring.parse(written)
    said = str(caught.value)
    assert not [w for w in words if w not in said]
    assert not [w for w in written.split("\n") if w != "plain" and w in said]


@pytest.mark.parametrize("begin", ["", MARK, f"{MARK}plain:", f"{MARK}0a1b2c3d:", MARK.upper(), MARK * 3])
@pytest.mark.parametrize("end", ["", "AAAA", WORDS, "\n", "\U0001f642" * 3000, "\u202e\x07'\"%_\\"])
def test_every_text_comes_back_whatever_it_begins_with(begin: str, end: str) -> None:
    words = begin + end
    for ring in (Keyring(), Keyring([NEW]), Keyring([NEW], write_plain=True)):
        kept = ring.seal(words, "inbox.text")
        assert ring.open(kept, "inbox.text") == words
        assert Keyring([OLD, NEW]).open(kept, "inbox.text") == words
    sealed = Keyring([NEW]).seal(words, "inbox.text")
    assert sealed == "" if not words else sealed.startswith(sealed_with(key_id(NEW)))


def test_a_sealed_text_opens_with_its_key_in_its_column_and_unchanged() -> None:
    ring = Keyring([OLD])
    sealed = ring.seal(WORDS, "inbox.text")
    assert ring.seal(WORDS, "inbox.text") != sealed
    data = bytearray(base64.urlsafe_b64decode(sealed.rpartition(":")[2]))
    data[-1] ^= 1
    changed = sealed.rpartition(":")[0] + ":" + base64.urlsafe_b64encode(data).decode()
    wrong = [
        (Keyring([NEW]), sealed, "inbox.text", key_id(OLD)),
        (Keyring(), sealed, "inbox.text", key_id(OLD)),
        (ring, sealed, "outbox.text", "damaged"),
        (ring, changed, "inbox.text", "damaged"),
        (ring, sealed[:-9], "inbox.text", "damaged"),
        (ring, MARK + "what is this", "inbox.text", "damaged"),
    ]
    for keys, kept, place, word in wrong:
        with pytest.raises(UnreadableError, match=word):
            keys.open(kept, place)


def test_every_column_is_named_as_it_is() -> None:
    columns = list(encrypted_columns(Base.metadata))
    names = {column_type.place for _, _, column_type in columns}
    assert names == {f"{table.name}.{column.key}" for table, column, _ in columns}
    assert {"inbox.text", "inbox.payload", "outbox.text", "messages.content", "feedback.text"} <= names
    # The command that erases needs to know which message a row belongs to.
    assert all("inbox_id" in table.c for table, _, _ in columns if table is not InboxRow.__table__)


def test_nothing_that_was_written_is_found_in_the_file(opened: Any, tmp_path: Path) -> None:
    database = opened(OLD)
    fill(database)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert files["test.db-wal"], "the log is part of what is looked at"
    for name, content in files.items():
        assert not [form for form in forms(WORDS) if form in content], name
    with database.read() as session:
        row = session.get_one(InboxRow, 1)
        assert row.text == f"{WORDS} asks 1"
        assert row.payload["messages"][0]["content"] == f"{WORDS} said"
        assert row.payload["seed"] == 7
    delivery = Outbox(database, LEASE).claim(["feishu"])
    assert delivery is not None and delivery.text == f"{WORDS} replies"
    # The same without a key, so that the search above is known to find something.
    fill(opened(OLD, write_plain=True), 2)
    assert forms(WORDS)[0] in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_persons_messages_are_found_all_the_same(opened: Any) -> None:
    database = opened(OLD)
    number = fill(database)
    assert list(find(database, "feishu", user="ou_a").ids) == [number]
    assert list(find(database, "feishu", user="ou_b").ids) == []


def test_plain_rows_stay_readable_and_new_ones_are_sealed(opened: Any) -> None:
    fill(opened(), 1, MARK + WORDS)
    database = opened(OLD)
    fill(database, 2)
    with database.read() as session:
        kept = session.execute(text("SELECT text FROM inbox ORDER BY id")).scalars().all()
        assert kept[0] == f"{MARK}plain:{MARK}{WORDS} asks 1"
        assert kept[1].startswith(sealed_with(key_id(OLD)))
        assert session.get_one(InboxRow, 1).text == f"{MARK}{WORDS} asks 1"


def test_a_payload_that_looks_sealed_comes_back(opened: Any) -> None:
    for keys in ((), (OLD,)):
        database = opened(*keys)
        payload = {"$sealed": "enc1:0a1b2c3d:x", "seed": 1}
        inbox = Inbox(database, LEASE)
        assert inbox.accept(Incoming("api", f"m{keys}", f"c{keys}", "x", payload=payload)) is not None
        claim = inbox.claim()
        assert claim is not None and claim.payload == payload
        inbox.finish(claim, "y", push=False, remember=False)


def test_texts_of_the_version_before_that_look_sealed(
    url: str, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Database(url)
    folder = Path(migrate_function.__globals__["__file__"]).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(folder))
    with old.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text("INSERT INTO conversations VALUES (1, 'web_chat', 'c', 0, NULL, 0)"),
        )
        for number, words in enumerate(("enc1:0a1b2c3d:AAAA", "ENC1:x", "plain words"), 1):
            connection.execute(
                text(
                    "INSERT INTO inbox VALUES (:n, 'web_chat', :n, 1, 'chat', "
                    " :words, '', '{}', 'done', 1, 0, 0, 0)"
                ),
                {"n": number, "words": words},
            )
    old.close()
    for keys in ((), (OLD,)):
        with opened(*keys).read() as session:
            read = [session.get_one(InboxRow, n).text for n in (1, 2, 3)]
        assert read == ["enc1:0a1b2c3d:AAAA", "ENC1:x", "plain words"]


def test_a_wrong_or_missing_key_is_seen_at_the_start(opened: Any, url: str) -> None:
    fill(opened(OLD))
    for ring, word in ((Keyring([NEW]), "has no such key"), (Keyring(), "is missing or empty")):
        wrong = Database(url, ring)
        with pytest.raises(WrongKeyError) as caught:
            migrate(wrong)
        wrong.close()
        said = str(caught.value)
        assert word in said and key_id(OLD) in said and "inbox.text" in said
        assert len(said.splitlines()) == 1
    # And a right one afterwards, in any place.
    assert opened(NEW, OLD).keyring.first == key_id(NEW)


def test_a_key_that_sealed_nothing_need_not_be_kept(opened: Any) -> None:
    opened(OLD)
    database = opened(NEW)
    fill(database)
    assert key_id(OLD) not in stored(database)


def test_a_key_id_alone_is_no_proof(opened: Any) -> None:
    database = opened(OLD)
    fill(database)
    with database.write() as session:
        session.execute(text("UPDATE encryption_check SET value = value || 'AAAA'"))
    with pytest.raises(WrongKeyError):
        opened(OLD)


def test_what_cannot_be_read_waits_and_the_others_go_on(
    opened: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(Database, "now", lambda _self, _session: clock[0])
    old = opened(OLD)
    for number in (1, 2):
        assert Inbox(old, LEASE).accept(Incoming("feishu", f"a{number}", "one", WORDS)) is not None
    # A process with other keys, which started before.
    other = Database(url, Keyring([NEW]))
    inbox = Inbox(other, LEASE)
    assert inbox.accept(Incoming("feishu", "b", "two", "good day")) == 3
    with pytest.raises(UnreadableRow, match=key_id(OLD)) as caught:
        inbox.claim()
    assert caught.value.number == 1
    claim = inbox.claim()
    assert claim is not None and claim.text == "good day"
    inbox.finish(claim, "re", push=True, remember=False)
    assert inbox.claim() is None
    clock[0] += PAUSE_SECONDS
    # In its order, and not counted as tried.
    again = Inbox(old, LEASE).claim()
    assert again is not None and (again.inbox_id, again.attempts) == (1, 1)
    Inbox(old, LEASE).finish(again, "re", push=True, remember=True)
    outbox = Outbox(other, LEASE)
    delivery = outbox.claim(["feishu"])
    assert delivery is not None and delivery.text == "re"
    outbox.sent(delivery)
    with pytest.raises(UnreadableRow) as caught:
        outbox.claim(["feishu"])
    assert outbox.claim(["feishu"]) is None
    clock[0] += PAUSE_SECONDS
    own = Outbox(old, LEASE).claim(["feishu"])
    assert own is not None and own.outbox_id == caught.value.number and own.attempts == 1
    other.close()


def test_a_person_whose_message_cannot_be_read_is_told_to_wait(opened: Any, url: str) -> None:
    old = opened(OLD)
    number = Inbox(old, LEASE).accept(Incoming("feishu", "m", "c", WORDS, payload={"seed": 1}))
    other = Database(url, Keyring([NEW]))
    notices = Notices(other)
    assert number is not None
    assert [(w.inbox_id, w.text) for w in notices.due(["feishu"], -1.0)] == [(number, "")]
    assert [w.text for w in Notices(old).due(["feishu"], -1.0)] == [WORDS]
    assert notices.put(number, "please wait")
    delivery = Outbox(other, LEASE).claim(["feishu"])
    assert delivery is not None and delivery.text == "please wait"
    other.close()


def test_columns_read_through_an_update_as_well(opened: Any) -> None:
    database = opened(OLD)
    fill(database)
    with database.write() as session:
        session.execute(update(OutboxRow).values(text="new words"))
        session.execute(update(HistoryRow).values(content=""))
    with database.read() as session:
        assert session.get_one(OutboxRow, 1).text == "new words"
        assert "new words" not in stored(database)
        assert session.execute(text("SELECT content FROM messages")).scalars().all() == ["", ""]


def test_what_was_plain_is_nowhere_in_the_file_afterwards(
    opened: Any, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = opened()
    fill(database)
    # Of many lengths, so that rows move between pages; with these some are left in the gaps of pages.
    chance = random.Random(2)
    with database.write() as session:
        for number in range(2, 302):
            asked, said, *long = (
                f"CANARY {'x' * chance.randint(0, n)}" for n in (600, 600, 1800, 1800, 1800)
            )
            where: dict[str, Any] = {
                "platform": "feishu",
                "reply_to": "",
                "available_at": 0.0,
                "state": "done",
            }
            payload = {"messages": [{"role": "user", "content": said}]}
            message = InboxRow(
                conversation_id=1,
                message_id=str(number),
                kind="chat",
                received_at=0.0,
                text=asked,
                payload=payload,
                **where,
            )
            session.add(message)
            session.flush()
            own: dict[str, Any] = {"inbox_id": message.id, "conversation_id": 1, "created_at": 0.0}
            session.add(OutboxRow(chat="c", text=long[0], detail={}, idempotency_key="k", **own, **where))
            for role, words in (("user", long[1]), ("assistant", long[2])):
                session.add(HistoryRow(role=role, content=words, **own))
            session.flush()
    database.empty_log()
    monkeypatch.setenv("ASSISTANT_DATABASE_URL", url)
    monkeypatch.setenv("ASSISTANT_SECRETS_DIR", str(tmp_path))
    (tmp_path / "database_encryption_key").write_text(line(OLD))
    rest: list[float] = []
    monkeypatch.setattr("assistant.cli.encrypt.time.sleep", rest.append)
    assert main(["encrypt"]) == 0, capsys.readouterr().err
    assert "messages.content 602" in capsys.readouterr().out
    assert len(rest) >= 12, "there is a rest after each batch"
    for path in tmp_path.glob("test.db*"):
        assert b"CANARY" not in path.read_bytes(), path.name


def test_a_disk_that_is_full_is_named_and_nothing_is_lost(
    opened: Any, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(opened())
    monkeypatch.setenv("ASSISTANT_DATABASE_URL", url)
    monkeypatch.setenv("ASSISTANT_SECRETS_DIR", str(tmp_path))
    (tmp_path / "database_encryption_key").write_text(line(OLD))

    def full(_self: Database) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Database, "write_file_anew", full)
    assert main(["encrypt"]) == 1
    said = capsys.readouterr().err
    assert "OperationalError" in said and "room" in said and "give the command again" in said
    with opened(OLD).read() as session:
        assert session.get_one(InboxRow, 1).text == f"{WORDS} asks 1"
