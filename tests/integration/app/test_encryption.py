"""Text at rest on both databases: the service with a key, the command ``encrypt``, rotation, accidents."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from assistant.messages import Incoming
from assistant.store import Database, Inbox, Outbox, migrate
from assistant.store.keyring import Keyring, key_id, sealed_with
from assistant.store.models import Base
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import APP, SECRETS, Assistant, until

OLD, NEW, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))
WORDS = "canary 金丝雀 sings"
COLUMNS = (("inbox", "text"), ("outbox", "text"), ("messages", "content"))


def name(key: str) -> str:
    return key_id(base64.b64decode(key))


def write_keys(assistant: Assistant, *lines: str) -> None:
    (assistant.directory / "secrets" / "database_encryption_key").write_text("\n".join(lines) + "\n")


def start(assistant: Assistant, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "assistant", *arguments],
        cwd=APP,
        env=assistant.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def run(assistant: Assistant, *arguments: str, status: int = 0) -> str:
    """What a command prints, on stdout for status 0, on stderr otherwise."""
    process = start(assistant, *arguments)
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, out + err
    assert "Traceback" not in err
    return err if status else out


class Opened:
    """The database with some keys, as a service that was started with them has it."""

    def __init__(self, url: str, *lines: str) -> None:
        self.database = Database(url, Keyring.parse("\n".join(lines)))
        migrate(self.database)
        self.inbox, self.outbox = Inbox(self.database, 60), Outbox(self.database, 60)

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def fill(self, numbers: Iterable[int]) -> None:
        """Messages that are answered, each with a payload, a reply and two turns."""
        for number in numbers:
            payload = {"messages": [{"role": "user", "content": f"{WORDS} said {number}"}]}
            message = Incoming(
                "feishu", f"m{number}", f"c{number}", f"{WORDS} asks {number}", payload=payload, sender="ou_a"
            )
            assert self.inbox.accept(message) is not None
            claim = self.inbox.claim()
            assert claim is not None
            self.inbox.finish(claim, f"{WORDS} replies {number}", push=False, remember=True)

    def texts(self) -> set[str]:
        with self.database.read() as session:
            found = [
                value
                for table in Base.metadata.sorted_tables
                for column in table.columns
                if f"{table.name}.{column.key}" in {"inbox.text", "outbox.text", "messages.content"}
                for value in session.execute(table.select().with_only_columns(column)).scalars()
            ]
            payloads = session.execute(
                Base.metadata.tables["inbox"]
                .select()
                .with_only_columns(Base.metadata.tables["inbox"].c.payload)
            ).scalars()
            return {*found, *(m["content"] for p in payloads for m in p.get("messages", []))}


def expected(numbers: Iterable[int]) -> set[str]:
    return {f"{WORDS} {verb} {n}" for n in numbers for verb in ("asks", "said", "replies")}


def at_rest(assistant: Assistant) -> dict[str, bytes]:
    """Everything that lies on the disk: the service's files, and PostgreSQL's rows as a dump has them."""
    found = {
        str(path): path.read_bytes()
        for path in assistant.directory.rglob("*")
        if path.is_file() and path.parent.name != "secrets"
    }
    if assistant.database_url.startswith("sqlite"):
        folder = Path(assistant.database_url.removeprefix("sqlite:///")).parent
        found.update({str(p): p.read_bytes() for p in folder.glob("assistant.db*")})
    else:
        for table in Base.metadata.tables:
            found[table] = repr(assistant.rows(f"SELECT t::text FROM {table} t")).encode()
    return found


def places_of(words: str, files: dict[str, bytes]) -> list[str]:
    forms = (words.encode(), json.dumps(words)[1:-1].encode(), repr(words)[1:-1].encode())
    return [where for where, content in files.items() if any(form in content for form in forms)]


def sealed(assistant: Assistant, key: str = "") -> int:
    """How many texts a key has sealed; without one, how many are plain."""
    count = 0
    for table, column in COLUMNS:
        begins = f"substr({column}, 1, 5) <> 'enc1:'"
        if key:
            begins = f"substr({column}, 1, 14) = '{sealed_with(name(key))}'"
        count += assistant.rows(f"SELECT count(*) FROM {table} WHERE {begins}")[0][0]
    return count


@pytest.fixture
def installed(make_assistant: Maker, any_database: str) -> Assistant:
    return make_assistant({}, any_database)


def test_nothing_that_people_write_lies_on_the_disk(
    make_assistant: Maker, platforms: Platforms, any_database: str
) -> None:
    assistant = make_assistant(platforms.settings(), any_database)
    write_keys(assistant, OLD)
    assistant.start()
    headers = {"Authorization": f"Bearer {SECRETS['api_token']}"}
    said = [{"role": "user", "content": f"{WORDS} first"}, {"role": "user", "content": WORDS}]
    reply, calls = "", 0
    # The tiny model's answers are as long as chance wants them; a short one could stand anywhere.
    while len(reply) <= 8:
        assert calls < 50
        body = {"messages": said, "seed": calls}
        answered = assistant.post("/v1/chat/completions", json=body, headers=headers)
        assert answered.status_code == 200
        reply = answered.json()["choices"][0]["message"]["content"]
        calls += 1
    event = platforms.feishu_event(WORDS, message_id="om_1")
    assert platforms.post_feishu(assistant, event).status_code == 200
    sent = platforms.wait_for(platforms.feishu, 1)
    bad = assistant.post("/v1/chat/completions", json={"messages": [{"content": WORDS}]}, headers=headers)
    assert bad.status_code == 400
    until(
        "all are finished",
        lambda: assistant.rows("SELECT count(*) FROM inbox WHERE state = 'done'")[0][0] == calls + 1,
    )
    files = at_rest(assistant)
    for words in (WORDS, reply, sent[0].get("text", reply)):
        assert places_of(words, files) == []
    assert WORDS in run(assistant, "inbox", "show", "--text", f"inbox-{calls + 1}")
    assert "hidden (" in run(assistant, "inbox", "show", f"inbox-{calls + 1}")
    # The search finds what is there to be found.
    with Opened(any_database, "plain", OLD) as plain:
        plain.fill([9])
    assert places_of(WORDS, at_rest(assistant))
    assert assistant.stop() == 0


def test_a_service_with_a_wrong_key_does_not_start(installed: Assistant, any_database: str) -> None:
    with Opened(any_database, OLD) as opened:
        opened.fill([1])
    secret = installed.directory / "secrets" / "database_encryption_key"
    for written, word in (
        (OTHER, "has no such key"),
        ("", "is missing or empty"),
        ("secret words", "line 1"),
    ):
        secret.write_text(written)
        installed.log_path.unlink(missing_ok=True)
        installed.start(wait=False)
        assert installed.process is not None
        assert installed.process.wait(60) != 0
        lines = [row for row in installed.log().splitlines() if "database_encryption_key" in row]
        assert len(lines) == 1 and word in lines[0]
        assert "Traceback" not in installed.log() and "secret words" not in installed.log()
        if written != "secret words":
            assert name(OLD) in lines[0]
        for command in (("inbox", "list"), ("forget", "--channel", "feishu", "--user", "ou_a"), ("encrypt",)):
            said = run(installed, *command, status=1)
            assert word in said and len(said.splitlines()) == 1
    secret.write_text(f"{OTHER}\n{OLD}\n")
    installed.start()
    assert installed.stop() == 0


def test_rotation(installed: Assistant, any_database: str) -> None:
    with Opened(any_database) as opened:
        opened.fill(range(1, 121))
    assert "is missing or empty" in run(installed, "encrypt", status=2)
    assert sealed(installed) == 480

    write_keys(installed, OLD)
    said = run(installed, "encrypt")
    assert (
        f"with the key {name(OLD)}" in said and "inbox.payload 120" in said and "messages.content 240" in said
    )
    assert (sealed(installed, OLD), sealed(installed)) == (480, 0)
    assert places_of(WORDS, at_rest(installed)) == []
    assert "nothing; everything was so already" in run(installed, "encrypt")

    write_keys(installed, NEW, OLD)
    with Opened(any_database, NEW, OLD) as opened:
        opened.fill(range(121, 131))
        assert opened.texts() == expected(range(1, 131))
    assert (sealed(installed, OLD), sealed(installed, NEW)) == (480, 40)
    write_keys(installed, NEW)
    assert name(OLD) in run(installed, "encrypt", status=1)
    write_keys(installed, NEW, OLD)
    run(installed, "encrypt")
    assert (sealed(installed, OLD), sealed(installed, NEW)) == (0, 520)
    write_keys(installed, NEW)
    with Opened(any_database, NEW) as opened:
        assert opened.texts() == expected(range(1, 131))
    assert installed.rows("SELECT key_id FROM encryption_check") == [(name(NEW),)]

    # And back to plain text.
    assert "put the line plain above" in run(installed, "encrypt", "--decrypt", status=2)
    write_keys(installed, "plain", NEW)
    assert "--decrypt" in run(installed, "encrypt", status=2)
    assert "as plain text" in run(installed, "encrypt", "--decrypt")
    assert sealed(installed) == 520
    (installed.directory / "secrets" / "database_encryption_key").unlink()
    with Opened(any_database) as opened:
        assert opened.texts() == expected(range(1, 131))
    assert installed.rows("SELECT key_id FROM encryption_check") == []


def test_killed_in_the_middle(installed: Assistant, any_database: str) -> None:
    with Opened(any_database) as opened:
        opened.fill(range(1, 401))
    write_keys(installed, OLD)
    command = start(installed, "encrypt")
    until("it has begun", lambda: sealed(installed, OLD) > 0)
    os.kill(command.pid, signal.SIGKILL)
    command.wait(10)
    assert sealed(installed, OLD) > 0 and sealed(installed) > 0, "it was in the middle"
    assert sealed(installed, OLD) % 100 == 0, "whole batches"
    with Opened(any_database, OLD) as opened:
        assert opened.texts() == expected(range(1, 401))
    # Interrupted politely, it says how to go on.
    command = start(installed, "encrypt")
    before = sealed(installed, OLD)
    until("it goes on", lambda: sealed(installed, OLD) > before)
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=30)
    assert (command.returncode, "give the command again" in err) == (1, True), err
    run(installed, "encrypt")
    assert (sealed(installed, OLD), sealed(installed)) == (1600, 0)
    with Opened(any_database, OLD) as opened:
        assert opened.texts() == expected(range(1, 401))


def test_beside_a_service_that_receives_and_answers(installed: Assistant, any_database: str) -> None:
    with Opened(any_database, OLD) as opened:
        opened.fill(range(1, 61))
    write_keys(installed, NEW, OLD)
    faults: list[BaseException] = []
    ended = threading.Event()
    numbers: dict[int, list[int]] = {0: [], 1: []}

    def serve(which: int) -> None:
        # Each has chats of its own; a message of one may be answered by the other.
        try:
            with Opened(any_database, NEW, OLD) as own:
                number = 1_000_000 * (which + 1)
                # A service has moments without a writer; two threads that hand the lock on have none.
                while not ended.wait(0.005):
                    message = Incoming("feishu", f"m{number}", f"c{number % 7}", f"{WORDS} asks {number}")
                    assert own.inbox.accept(message) is not None
                    numbers[which].append(number)
                    number += 1
                    claim = own.inbox.claim()
                    if claim is not None:
                        assert claim.text.startswith(WORDS)
                        own.inbox.finish(claim, f"re {claim.text}", push=True, remember=True)
                    delivery = own.outbox.claim(["feishu"])
                    if delivery is not None:
                        assert delivery.text.startswith(f"re {WORDS}")
                        own.outbox.sent(delivery)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=serve, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    until("the service is at work", lambda: all(len(n) > 5 for n in numbers.values()))
    run(installed, "encrypt")
    ended.set()
    for thread in threads:
        thread.join(60)
    assert faults == []
    assert (sealed(installed, OLD), sealed(installed)) == (0, 0)
    received = numbers[0] + numbers[1]
    with Opened(any_database, NEW) as opened:
        assert {t for t in opened.texts() if " asks " in t and not t.startswith("re ")} == {
            *(f"{WORDS} asks {n}" for n in (*range(1, 61), *received))
        }


def test_a_key_that_is_lost(installed: Assistant, any_database: str) -> None:
    with Opened(any_database, OLD) as opened:
        opened.fill(range(1, 4))
    with Opened(any_database, NEW, OLD) as opened:
        opened.fill(range(4, 6))
    write_keys(installed, NEW)
    said = run(installed, "encrypt", "--erase-unreadable", status=2)
    assert "3 messages (inbox-1, inbox-2, inbox-3) would be deleted" in said
    with Opened(any_database, NEW, OLD) as opened:
        assert opened.texts() == expected(range(1, 6))
    assert "deleted: 3 messages" in run(installed, "encrypt", "--erase-unreadable", "--yes")
    with Opened(any_database, NEW) as opened:
        assert opened.texts() - {""} == expected(range(4, 6))
        # Their numbers stay for a while: a repetition is no new message.
        assert opened.inbox.accept(Incoming("feishu", "m1", "c1", "again")) is None
    installed.start()
    assert installed.stop() == 0


def test_one_damaged_row_is_named_and_the_rest_is_done(installed: Assistant, any_database: str) -> None:
    with Opened(any_database, OLD) as opened:
        opened.fill(range(1, 4))
        with opened.database.write() as session:
            session.execute(text("UPDATE outbox SET text = substr(text, 1, 40) WHERE inbox_id = 2"))
    write_keys(installed, NEW, OLD)
    said = run(installed, "encrypt", status=1)
    assert "1 message (inbox-2)" in said and "--erase-unreadable" in said
    assert (sealed(installed, NEW), sealed(installed, OLD)) == (11, 1)
    assert (
        "needs" in (shown := run(installed, "inbox", "show", "--text", "outbox-2", status=1))
        or "damaged" in shown
    )


def test_a_database_of_the_version_before(installed: Assistant, any_database: str) -> None:
    with Opened(any_database) as opened, opened.database.write() as session:
        session.execute(text("DROP TABLE encryption_check"))
    assert "older version" in run(installed, "inbox", "list", status=1)


@pytest.fixture(autouse=True)
def clean(platforms: Platforms) -> Iterator[Any]:
    platforms.reset()
    yield
