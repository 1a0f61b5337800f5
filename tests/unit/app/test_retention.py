"""Retention: what is too old goes, what may still be needed stays, and a repetition stays a duplicate."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from assistant.housekeeper import Housekeeper
from assistant.messages import Incoming
from assistant.metrics import Metrics
from assistant.store import retention as module
from assistant.store.claims import LeaseLost
from assistant.store.models import FORGOTTEN, Conversation, DeadLetter, HistoryRow, InboxRow, OutboxRow
from assistant.store.retention import DAY, Retention, erase, find
from tests.unit.app.conftest import LEASE, Store

DAYS = 30


def receive(
    store: Store, number: int, chat: str = "c", *, sender: str = "ou_a", platform: str = "feishu"
) -> int | None:
    message = Incoming(platform, f"m{number}", chat, f"text {number}", f"r{number}", sender=sender)
    return store.inbox.accept(message)


def answer(store: Store, *, send: bool = True, **more: Any) -> None:
    claim = store.inbox.claim()
    assert claim is not None
    store.inbox.finish(claim, f"re {claim.text}", push=True, **{"remember": True, **more})
    if send:
        delivery = store.outbox.claim(["feishu", "telegram"])
        assert delivery is not None
        assert store.outbox.sent(delivery)


def work(store: Store, days: int = DAYS) -> Counter[str]:
    """Delete until nothing is left to delete; returns the deleted rows by table."""
    retention, deleted = Retention(store.database, days), Counter[str]()
    for _ in range(100):
        batch = retention.delete_batch()
        deleted.update(batch.rows)
        if batch.last:
            return +deleted
    raise AssertionError("it does not come to an end")


def count(store: Store, table: Any) -> int:
    with store.database.read() as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()


def texts(store: Store) -> list[str]:
    with store.database.read() as session:
        return list(session.execute(select(InboxRow.text).order_by(InboxRow.id)).scalars())


def test_old_messages_go_with_all_that_belongs_to_them(store: Store) -> None:
    receive(store, 1)
    answer(store)
    receive(store, 2)
    answer(store, remember=False, dead_reason="RequestError", send=False)
    delivery = store.outbox.claim(["feishu"])
    assert delivery is not None
    store.outbox.give_up(delivery, "feishu code 230011")
    assert store.outbox.dead_letters() == 2
    store.clock.now += DAYS * DAY + 1
    receive(store, 3, chat="other")
    assert work(store) == {"inbox": 2, "outbox": 2, "messages": 2, "dead_letters": 2, "conversations": 1}
    assert texts(store) == ["text 3"]
    assert (count(store, OutboxRow), count(store, HistoryRow), count(store, DeadLetter)) == (0, 0, 0)
    with store.database.read() as session:
        assert session.execute(select(Conversation.chat)).scalars().all() == ["other"]


def test_younger_messages_stay(store: Store) -> None:
    receive(store, 1)
    answer(store)
    store.clock.now += DAYS * DAY - 1
    receive(store, 2)
    answer(store)
    assert not work(store)
    store.clock.now += 2
    assert work(store) == {"inbox": 1, "outbox": 1, "messages": 2}
    assert texts(store) == ["text 2"]


def test_what_waits_is_answered_or_undelivered_stays(store: Store) -> None:
    receive(store, 1, "undelivered")
    answer(store, send=False)
    receive(store, 2, "being sent")
    answer(store, send=False)
    receive(store, 3, "being answered")
    receive(store, 4, "waits")
    receive(store, 5, "last")
    store.clock.now += DAYS * DAY + 1
    running = store.inbox.claim()
    assert running is not None
    delivery = store.outbox.claim(["feishu"])
    assert delivery is not None
    assert not work(store)
    assert len(texts(store)) == 5
    # Nothing was taken from under those who work on it.
    store.inbox.finish(running, "answer", push=False, remember=True)
    assert store.outbox.sent(delivery)
    assert work(store)["inbox"] == 2
    assert texts(store) == ["text 2", "text 4", "text 5"]


def test_zero_keeps_everything(store: Store) -> None:
    receive(store, 1)
    answer(store)
    receive(store, 2)
    store.clock.now += 10_000 * DAY
    assert not work(store, days=0)
    assert texts(store) == ["text 1", "text 2"]


def test_whatever_is_set_a_repetition_within_two_days_is_a_duplicate(store: Store) -> None:
    receive(store, 1)
    answer(store)
    receive(store, 2)
    store.clock.now += 2 * DAY - 1
    work(store, days=1)
    assert receive(store, 1) is None
    store.clock.now += 2
    work(store, days=1)
    assert receive(store, 1) is not None


def test_batches_are_small_and_all_are_done(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    monkeypatch.setattr(module, "CONVERSATION_BATCH", 2)
    for number in range(10):
        receive(store, number, f"c{number}")
    for _ in range(10):
        answer(store)
    # More than a batch of them: the way must lead past.
    for number in range(10, 16):
        receive(store, number, "waits")
    for number in range(16, 20):
        receive(store, number, f"c{number}")
    with store.database.write() as session:
        for row in session.execute(select(InboxRow).where(InboxRow.id > 16)).scalars():
            row.state = "done"
    store.clock.now += DAYS * DAY + 1
    retention, batches = Retention(store.database, DAYS), []
    while not (batch := retention.delete_batch()).last:
        batches.append(batch.rows)
    assert max(rows.get("inbox", 0) for rows in batches) == 3
    assert max(rows.get("conversations", 0) for rows in batches) == 2
    # The newest row is emptied only: its number must not be given away again.
    assert texts(store) == [f"text {n}" for n in range(10, 16)] + [""]
    assert sum(rows.get("conversations", 0) for rows in batches) == 13


def test_a_number_is_never_given_twice(store: Store) -> None:
    receive(store, 1)
    answer(store)
    store.clock.now += DAYS * DAY + 1
    work(store)
    assert texts(store) == [""]
    assert receive(store, 2) == 2
    assert work(store) == {"inbox": 1}
    assert texts(store) == ["text 2"]


def test_the_housekeeper_counts_what_it_deletes(store: Store) -> None:
    receive(store, 1)
    answer(store)
    receive(store, 2)
    store.clock.now += DAYS * DAY + 1
    metrics = Metrics()
    housekeeper = Housekeeper(Retention(store.database, DAYS), metrics)
    while housekeeper.step():
        pass
    deleted = {
        t: metrics.registry.get_sample_value("assistant_rows_deleted_total", {"table": t})
        for t in ("inbox", "outbox", "messages")
    }
    assert deleted == {"inbox": 1.0, "outbox": 1.0, "messages": 2.0}


def test_a_person_is_found_in_all_chats_and_nobody_else(store: Store) -> None:
    receive(store, 1, "private")
    receive(store, 2, "group")
    receive(store, 3, "group", sender="ou_b")
    for _ in range(3):
        answer(store)
    receive(store, 4, "group")
    receive(store, 5, "group", sender="ou_a", platform="telegram")
    found = find(store.database, "feishu", user="ou_a")
    assert (list(found.ids), found.replies, found.conversations, found.running) == ([1, 2, 4], 2, 2, 0)
    erase(store.database, found.ids)
    assert texts(store) == ["", "", "text 3", "", "text 5"]
    with store.database.read() as session:
        assert session.execute(select(OutboxRow.text)).scalars().all() == ["re text 3"]
        assert session.execute(select(HistoryRow.content)).scalars().all() == ["text 3", "re text 3"]
    assert not find(store.database, "feishu", user="ou_a").ids
    assert store.outbox.transcript("feishu", "private", 0, 10) == []


def test_a_private_chat_of_telegram_is_the_person(store: Store) -> None:
    for number, chat in enumerate(("482", "482/7", "4821", "-100")):
        receive(store, number, chat, sender="", platform="telegram")
    assert list(find(store.database, "telegram", user="482").ids) == [1, 2]


def test_a_whole_chat(store: Store) -> None:
    receive(store, 1, "group", sender="ou_a")
    receive(store, 2, "group", sender="")
    receive(store, 3, "other", sender="ou_a")
    assert list(find(store.database, "feishu", chat="group").ids) == [1, 2]


def test_what_is_forgotten_stays_a_duplicate_and_is_gone_after_two_days(store: Store) -> None:
    receive(store, 1)
    answer(store)
    receive(store, 2, "other", sender="ou_b")
    erase(store.database, find(store.database, "feishu", user="ou_a").ids)
    assert receive(store, 1) is None
    store.clock.now += 2 * DAY - 1
    assert not work(store, days=0)
    with store.database.read() as session:
        row = session.get_one(InboxRow, 1)
        assert (row.state, row.text, row.reply_to, row.payload) == (FORGOTTEN, "", "", {})
    store.clock.now += 2
    assert work(store, days=0) == {
        "inbox": 1, "conversations": 1
    }  # fmt: skip


@pytest.mark.parametrize("late", [0, 2 * LEASE, 3 * DAY])
def test_an_answer_that_is_being_made_is_thrown_away(store: Store, late: float) -> None:
    receive(store, 1, "group")
    receive(store, 2, "group", sender="ou_b")
    running = store.inbox.claim()
    assert running is not None
    store.clock.now += late
    found = find(store.database, "feishu", user="ou_a")
    assert found.running == (0 if late else 1)
    erase(store.database, found.ids)
    assert not store.inbox.heartbeat(running)
    with pytest.raises(LeaseLost):
        store.inbox.finish(running, "answer", push=True, remember=True)
    assert count(store, OutboxRow) == count(store, HistoryRow) == 0
    after = store.inbox.claim()
    assert after is not None
    assert after.text == "text 2"


def test_another_persons_answer_in_the_group_goes_on(store: Store) -> None:
    receive(store, 1, "group", sender="ou_b")
    receive(store, 2, "group")
    running = store.inbox.claim()
    assert running is not None
    found = find(store.database, "feishu", user="ou_a")
    assert found.running == 0
    erase(store.database, found.ids)
    store.inbox.finish(running, "answer", push=True, remember=True)
    assert store.inbox.claim() is None


def test_a_reply_that_is_being_sent_is_not_sent_again(store: Store) -> None:
    receive(store, 1)
    answer(store, send=False)
    delivery = store.outbox.claim(["feishu"])
    assert delivery is not None
    found = find(store.database, "feishu", user="ou_a")
    assert found.running == 1
    erase(store.database, found.ids)
    assert not store.outbox.part_sent(delivery, 1)
    store.outbox.give_up(delivery, "code")
    store.clock.now += 10 * LEASE
    assert store.outbox.claim(["feishu"]) is None
    assert store.outbox.dead_letters() == 0


def test_nothing_readable_is_left_in_the_files(store: Store, tmp_path: Path) -> None:
    word = "a-word-that-nobody-else-writes"
    message = Incoming("feishu", "m1", "c", word * 300, sender="ou_a")
    store.inbox.accept(message)
    answer(store)
    erase(store.database, find(store.database, "feishu", user="ou_a").ids)
    for path in tmp_path.iterdir():
        assert word.encode() not in path.read_bytes(), path.name
