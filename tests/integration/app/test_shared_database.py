"""Several processes on one database: here several threads, each with a connection pool of its own."""

import threading
from collections.abc import Callable

from sqlalchemy import select

from assistant.messages import Incoming
from assistant.store import Database, Inbox, Outbox, migrate
from assistant.store.models import HistoryRow, OutboxRow

CONVERSATIONS, MESSAGES, HOSTS = 5, 8, 4


def together(count: int, work: Callable[[int], None]) -> None:
    """Run ``work`` in ``count`` threads at once and raise what one of them raised."""
    faults: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            barrier.wait(10)
            work(number)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if faults:
        raise faults[0]


def test_many_hosts_start_receive_and_answer(any_database: str) -> None:
    databases = [Database(any_database) for _ in range(HOSTS)]
    together(HOSTS, lambda n: migrate(databases[n]))

    accepted: list[int] = []

    def receive(host: int) -> None:
        # Every host gets every message, as if a platform had repeated each one to all of them.
        inbox = Inbox(databases[host], 60)
        for number in range(MESSAGES):
            for chat in range(CONVERSATIONS):
                found = inbox.accept(Incoming("feishu", f"{chat}-{number}", f"chat{chat}", f"{number}"))
                if found is not None:
                    accepted.append(found)

    together(HOSTS, receive)
    assert len(accepted) == len(set(accepted)) == CONVERSATIONS * MESSAGES

    def answer(host: int) -> None:
        inbox = Inbox(databases[host], 60)
        while inbox.waiting():
            claim = inbox.claim()
            if claim is not None:
                inbox.finish(claim, f"re {claim.text}", push=True, remember=True)

    together(HOSTS, answer)
    sent: list[str] = []

    def send(host: int) -> None:
        outbox = Outbox(databases[host], 60)
        while outbox.waiting(["feishu"]):
            delivery = outbox.claim(["feishu"])
            if delivery is not None:
                sent.append(f"{delivery.chat} {delivery.text}")
                assert outbox.sent(delivery)

    together(HOSTS, send)
    with databases[0].read() as session:
        rows = session.execute(select(OutboxRow.chat, OutboxRow.text).order_by(OutboxRow.id)).all()
        turns = session.execute(
            select(HistoryRow.conversation_id, HistoryRow.content)
            .where(HistoryRow.role == "user")
            .order_by(HistoryRow.id)
        ).all()
    assert len(rows) == len(turns) == CONVERSATIONS * MESSAGES
    for chat in range(CONVERSATIONS):
        replies = [r[1] for r in rows if r[0] == f"chat{chat}"]
        assert sorted(replies) == [f"re {n}" for n in range(MESSAGES)]
        # Sent in the order in which they were made.
        assert [s.partition(" ")[2] for s in sent if s.startswith(f"chat{chat} ")] == replies
    for database in databases:
        database.close()
