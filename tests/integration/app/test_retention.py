"""Retention and forgetting on real databases, beside processes that receive and answer."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import delete, func, select, update

from assistant.messages import Incoming
from assistant.store import Database, Inbox, Outbox, Retention, migrate
from assistant.store.claims import LeaseLost
from assistant.store.models import Conversation, HistoryRow, InboxRow, OutboxRow
from assistant.store.retention import DAY, erase, find
from tests.emulators.feishu_client import FeishuUser
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import until
from tests.integration.app.test_shared_database import together

MESSAGES, CHATS = 120, 6


@pytest.fixture
def database(any_database: str) -> Iterator[Database]:
    made = Database(any_database)
    migrate(made)
    yield made
    made.close()


def receive(database: Database, number: int, chat: str, sender: str = "ou_a") -> int | None:
    message = Incoming("feishu", f"m{number}", chat, f"text {number}", sender=sender)
    return Inbox(database, 60).accept(message)


def answer_all(database: Database) -> None:
    inbox, outbox = Inbox(database, 60), Outbox(database, 60)
    while (claim := inbox.claim()) is not None:
        dead = "" if claim.inbox_id % 5 else "RequestError"
        inbox.finish(claim, f"re {claim.text}", push=True, remember=True, dead_reason=dead)
    while (delivery := outbox.claim(["feishu"])) is not None:
        outbox.sent(delivery)


def age(database: Database, days: float) -> None:
    """Make everything that is there older."""
    with database.write() as session:
        session.execute(update(InboxRow).values(received_at=InboxRow.received_at - days * DAY))


def delete_old(database: Database, days: int = 30) -> None:
    retention = Retention(database, days)
    while not retention.delete_batch().last:
        pass


def count(database: Database, table: type) -> int:
    with database.read() as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()


def texts(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.execute(select(InboxRow.text).order_by(InboxRow.id)).scalars())


def test_hosts_delete_while_others_receive_and_answer(any_database: str) -> None:
    databases = [Database(any_database) for _ in range(4)]
    migrate(databases[0])
    for number in range(MESSAGES):
        receive(databases[0], number, f"chat{number % CHATS}")
    answer_all(databases[0])
    age(databases[0], 31)
    # The same chats go on: their conversations are empty at times, and filled again at the same moment.
    new: list[int] = []

    def host(number: int) -> None:
        if number < 2:
            for _ in range(4):
                delete_old(databases[number])
            return
        for at in range(MESSAGES):
            found = receive(databases[number], MESSAGES + at, f"chat{at % CHATS}")
            if found is not None:
                new.append(found)
            answer_all(databases[number])

    together(4, host)
    answer_all(databases[0])
    assert len(new) == MESSAGES
    assert texts(databases[0]) == [f"text {MESSAGES + n}" for n in range(MESSAGES)]
    assert count(databases[0], OutboxRow) == MESSAGES
    assert count(databases[0], HistoryRow) == 2 * MESSAGES
    for database in databases:
        database.close()


def test_a_conversation_that_went_takes_messages_again(database: Database) -> None:
    receive(database, 1, "chat")
    answer_all(database)
    age(database, 31)
    receive(database, 2, "other")
    delete_old(database)
    with database.read() as session:
        assert session.execute(select(Conversation.chat)).scalars().all() == ["other"]
    assert receive(database, 1, "chat") is not None
    answer_all(database)
    assert texts(database) == ["text 2", "text 1"]


def test_a_message_that_is_being_committed_keeps_its_conversation(
    new_postgres_database: Callable[[], str],
) -> None:
    database = Database(new_postgres_database())
    migrate(database)
    receive(database, 1, "chat")
    receive(database, 2, "other")
    with database.write() as session:
        session.execute(delete(InboxRow).where(InboxRow.id == 1))
    with database.write() as session:
        session.add(
            InboxRow(
                platform="feishu",
                message_id="m3",
                conversation_id=1,
                kind="chat",
                text="text 3",
                reply_to="",
                payload={},
                available_at=0,
                received_at=time.time(),
            )
        )
        session.flush()
        other = threading.Thread(target=delete_old, args=(database,))
        other.start()
        other.join(20)
        assert not other.is_alive(), "it waits for the message, and then deletes its conversation"
    assert texts(database) == ["text 2", "text 3"]
    assert count(database, Conversation) == 2
    database.close()


def test_the_database_is_free_between_two_batches(database: Database) -> None:
    for number in range(MESSAGES):
        receive(database, number, "chat")
    answer_all(database)
    age(database, 31)
    receive(database, MESSAGES, "other")
    retention, left = Retention(database, 30), []
    while not retention.delete_batch().last:
        left.append(len(texts(database)))
        # Between two batches the database is free.
        assert receive(database, MESSAGES + len(left), "other") is not None
    assert left[0] > 1


def test_forgetting_beside_those_who_answer(any_database: str) -> None:
    databases = [Database(any_database) for _ in range(3)]
    migrate(databases[0])
    for number in range(MESSAGES):
        receive(databases[0], number, f"chat{number % CHATS}", "ou_a" if number % 2 else "ou_b")

    def host(number: int) -> None:
        if number:
            inbox = Inbox(databases[number], 60)
            while inbox.waiting():
                claim = inbox.claim()
                if claim is not None:
                    try:
                        inbox.finish(claim, f"re {claim.text}", push=True, remember=True)
                    except LeaseLost:
                        lost.append(claim.text)
            return
        time.sleep(0.05)
        for _ in range(3):
            erase(databases[0], find(databases[0], "feishu", user="ou_a").ids)

    lost: list[str] = []
    together(3, host)
    assert not find(databases[0], "feishu", user="ou_a").ids
    theirs = {f"text {n}" for n in range(0, MESSAGES, 2)}
    assert {t for t in texts(databases[0]) if t} == theirs
    assert not theirs & set(lost), "only an answer to the person who goes is thrown away"
    with databases[0].read() as session:
        replies = session.execute(select(OutboxRow.text)).scalars().all()
        turns = session.execute(select(HistoryRow.content).where(HistoryRow.role == "user")).scalars().all()
    assert sorted(replies) == sorted(f"re {t}" for t in theirs)
    assert set(turns) == theirs
    for database in databases:
        database.close()


def test_the_command_forgets_a_person_while_the_service_answers(
    make_assistant: Maker, platforms: Platforms, any_database: str
) -> None:
    platforms.reset()
    assistant = make_assistant(platforms.settings(), any_database)
    assistant.start()
    one, other = (FeishuUser(open_id=f"ou_{n * 8}", chat_id="oc_group", chat_type="p2p") for n in "ab")
    for user, words in ((one, "hello"), (other, "good day")):
        assert platforms.post_feishu(assistant, platforms.feishu_event(words, user=user)).status_code == 200
    platforms.wait_for(platforms.feishu, 2)
    until("both are recorded", lambda: assistant.rows("SELECT 1 FROM outbox WHERE state = 'pending'") == [])
    assistant.hold.touch()
    held = platforms.feishu_event("HOLD this", user=one)
    assert platforms.post_feishu(assistant, held).status_code == 200
    until("it is being answered", assistant.marker.exists)

    found = assistant.command("forget", "--channel", "feishu", "--user", one.open_id)
    assert (found.returncode, found.stderr) == (0, "")
    assert "messages 2, replies 1, conversations 1" in found.stdout
    assert "at the moment 1" in found.stdout
    assert "--yes" in found.stdout
    assert assistant.count("messages") == 4, "without --yes nothing is changed"

    done = assistant.command("forget", "--channel", "feishu", "--user", one.open_id, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "deleted: messages 2, replies 1, conversations 1" in done.stdout
    assistant.hold.unlink()
    until("the answer is thrown away", lambda: "thrown away" in assistant.log())
    assert assistant.rows("SELECT text FROM inbox WHERE text <> ''") == [("good day",)]
    assert assistant.rows("SELECT content FROM messages WHERE role = 'user'") == [("good day",)]
    assert assistant.count("outbox") == 1
    # Feishu repeats the event: it stays a duplicate.
    assert platforms.post_feishu(assistant, held).status_code == 200
    assert platforms.post_feishu(assistant, platforms.feishu_event("and now", user=other)).status_code == 200
    sent = platforms.wait_for(platforms.feishu, 3)
    assert len(sent) == 3
    kept = assistant.rows("SELECT text FROM inbox WHERE text <> '' ORDER BY id")
    assert kept == [("good day",), ("and now",)]
    again = assistant.command("forget", "--channel", "feishu", "--user", one.open_id)
    assert again.returncode == 3
    assert assistant.stop() == 0


def test_the_service_deletes_what_is_too_old(make_assistant: Maker, any_database: str) -> None:
    database = Database(any_database)
    migrate(database)
    receive(database, 1, "chat")
    answer_all(database)
    age(database, 91)
    receive(database, 2, "chat")
    answer_all(database)
    database.close()
    assistant = make_assistant({"ASSISTANT_RETENTION_DAYS": "0"}, any_database)
    assistant.start()
    assert assistant.count("inbox") == 2
    assert assistant.stop() == 0
    del assistant.environment["ASSISTANT_RETENTION_DAYS"]
    assistant.start()
    until("the old message is gone", lambda: assistant.rows("SELECT text FROM inbox") == [("text 2",)])
    assert 'assistant_rows_deleted_total{table="inbox"} 1.0' in assistant.get("/metrics").text
    assert assistant.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--channel", "feishu", "--user", "zhang"), 2, ["--user", "open_id", "ou_1a2b3c4d5e6f"]),
        (("--channel", "telegram", "--user", "-100123"), 2, ["--user", "number", "482910375"]),
        (("--channel", "web_chat", "--user", "x"), 2, ["--chat"]),
        (("--channel", "feishu", "--user", ""), 2, ["--user", "--chat"]),
        (("--channel", "feishu"), 2, ["--user", "--chat"]),
        (("--channel", "feishu", "--user", "ou_a"), 1, ["is not there", "assistant.db", "docker exec"]),
    ],
)
def test_the_command_says_what_is_wrong(
    make_assistant: Maker, arguments: tuple[str, ...], status: int, words: list[str]
) -> None:
    ended = make_assistant({}).command("forget", *arguments)
    assert ended.returncode == status
    assert not [w for w in words if w not in ended.stderr], ended.stderr
    assert "Traceback" not in ended.stderr
