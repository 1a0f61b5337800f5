"""The store: once, in order, under a lease, and nothing lost."""

import threading
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, select
from sqlalchemy.exc import IntegrityError

from assistant.messages import Incoming, Turn
from assistant.store.claims import LeaseLost
from assistant.store.models import Base, DeadLetter, InboxRow
from tests.unit.app.conftest import LEASE, Store


def accept(store: Store, number: int = 1, chat: str = "c", platform: str = "feishu") -> int | None:
    return store.inbox.accept(Incoming(platform, f"m{number}", chat, f"text {number}", reply_to=f"m{number}"))


def claim(store: Store) -> Any:
    found = store.inbox.claim()
    assert found is not None
    return found


def finish(store: Store, taken: Any, **more: Any) -> None:
    store.inbox.finish(taken, "reply", push=True, **{"remember": True, **more})


def test_same_message_is_accepted_once(store: Store) -> None:
    assert accept(store) is not None
    assert accept(store) is None
    assert accept(store, platform="telegram") is not None


def test_many_threads_accept_the_same_message_once(store: Store) -> None:
    results: list[int | None] = []
    threads = [threading.Thread(target=lambda: results.append(accept(store))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len([r for r in results if r is not None]) == 1


def test_repeated_first_message_may_lose_both_races(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    insert, lost = store.inbox._insert, ["the conversation", "the message"]

    def racing(*arguments: Any) -> int | None:
        if lost:
            raise IntegrityError(lost.pop(0), None, Exception())
        return insert(*arguments)

    monkeypatch.setattr(store.inbox, "_insert", racing)
    assert accept(store) is not None


def test_many_threads_claim_each_message_once(store: Store) -> None:
    for number in range(12):
        accept(store, number, chat=f"c{number}")
    taken: list[int] = []

    def work() -> None:
        while (found := store.inbox.claim()) is not None:
            taken.append(found.inbox_id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 13))


def test_conversation_keeps_its_order(store: Store) -> None:
    accept(store, 1)
    accept(store, 2)
    accept(store, 3, chat="other")
    first = claim(store)
    other = claim(store)
    assert (first.text, other.text) == ("text 1", "text 3")
    assert store.inbox.claim() is None
    finish(store, first)
    assert claim(store).text == "text 2"


def test_message_that_waits_for_another_try_holds_up_the_later_ones(store: Store) -> None:
    accept(store, 1)
    accept(store, 2)
    store.inbox.retry(claim(store), 10)
    assert store.inbox.claim() is None
    store.clock.now += 11
    again = claim(store)
    assert (again.text, again.attempts) == ("text 1", 2)


def test_lease_ends_without_a_heartbeat(store: Store) -> None:
    accept(store)
    first = claim(store)
    store.clock.now += LEASE - 1
    assert store.inbox.heartbeat(first)
    store.clock.now += LEASE - 1
    assert store.inbox.claim() is None
    store.clock.now += 2
    second = claim(store)
    assert second.attempts == 2
    assert not store.inbox.heartbeat(first)
    for act in (
        lambda: finish(store, first),
        lambda: store.inbox.retry(first, 1),
        lambda: store.inbox.give_back(first),
    ):
        with pytest.raises(LeaseLost):
            act()
    finish(store, second)
    assert store.outbox.claim(["feishu"]) is not None
    assert store.outbox.claim(["feishu"]) is None


def test_given_back_as_if_never_taken(store: Store) -> None:
    accept(store)
    store.inbox.give_back(claim(store))
    assert claim(store).attempts == 1


def test_history_is_the_newest_turns_of_this_conversation(store: Store) -> None:
    for number in range(3):
        accept(store, number)
        finish(store, claim(store))
    accept(store, 7, chat="other")
    finish(store, claim(store))
    accept(store, 8)
    assert store.inbox.history(claim(store), 3) == [
        Turn("assistant", "reply"),
        Turn("user", "text 2"),
        Turn("assistant", "reply"),
    ]


def test_dead_letter_is_answered_and_seen(store: Store) -> None:
    accept(store)
    finish(store, claim(store), remember=False, dead_reason="RequestError")
    assert store.inbox.claim() is None
    assert store.outbox.dead_letters() == 1
    assert store.outbox.claim(["feishu"]) is not None
    with store.database.read() as session:
        assert session.execute(select(DeadLetter.reason)).scalar_one() == "RequestError"
        assert session.execute(select(InboxRow.state)).scalar_one() == "dead"


def test_outbox_lease_parts_and_end(store: Store) -> None:
    accept(store)
    finish(store, claim(store))
    first = store.outbox.claim(["feishu"])
    assert first is not None
    assert store.outbox.claim(["telegram"]) is None
    assert store.outbox.part_sent(first, 1)
    store.clock.now += LEASE + 1
    second = store.outbox.claim(["feishu"])
    assert second is not None
    assert (second.parts_sent, second.attempts) == (1, 2)
    assert second.idempotency_key == first.idempotency_key
    assert len(first.idempotency_key) + 3 <= 50, "Feishu takes at most 50 characters"
    assert not store.outbox.sent(first)
    assert store.outbox.sent(second)
    store.clock.now += LEASE + 1
    assert store.outbox.claim(["feishu"]) is None


def test_outbox_keeps_a_chats_order_while_one_waits(store: Store) -> None:
    for number in (1, 2):
        accept(store, number)
        finish(store, claim(store))
    accept(store, 3, chat="other")
    finish(store, claim(store))
    first = store.outbox.claim(["feishu"])
    assert first is not None
    store.outbox.retry(first, 100, count=False)
    other = store.outbox.claim(["feishu"])
    assert other is not None
    assert other.reply_to == "m3"
    assert store.outbox.claim(["feishu"]) is None
    store.clock.now += 101
    again = store.outbox.claim(["feishu"])
    assert again is not None
    assert (again.reply_to, again.attempts) == ("m1", 1)
    store.outbox.give_up(again, "feishu code 230011")
    after = store.outbox.claim(["feishu"])
    assert after is not None
    assert after.reply_to == "m2"


def test_reply_that_is_fetched(store: Store) -> None:
    number = accept(store, platform="api")
    assert number is not None
    assert store.outbox.reply_to(number) is None
    store.inbox.finish(claim(store), "answer", push=False, remember=False, detail={"finish_reason": "stop"})
    reply = store.outbox.reply_to(number)
    assert reply is not None
    assert (reply.text, reply.detail, reply.failed) == ("answer", {"finish_reason": "stop"}, False)
    assert store.outbox.claim(["api", "feishu"]) is None


def test_cursor_is_committed_with_the_message(store: Store) -> None:
    assert store.inbox.cursor("x") is None
    store.inbox.accept(Incoming("telegram", "m1", "c", "t"), ("x", 5))
    assert store.inbox.cursor("x") == 5
    store.inbox.accept(Incoming("telegram", "m1", "c", "t"), ("x", 6))
    assert store.inbox.cursor("x") == 6, "a duplicate moves the cursor too"


def test_migrations_make_what_the_models_say(store: Store) -> None:
    def shape(engine: Any) -> dict[str, Any]:
        looker = inspect(engine)
        return {
            table: (
                {(c["name"], str(c["type"]), c["nullable"]) for c in looker.get_columns(table)},
                {(tuple(i["column_names"]), i["unique"]) for i in looker.get_indexes(table)},
                {tuple(u["column_names"]) for u in looker.get_unique_constraints(table)},
            )
            for table in looker.get_table_names()
            if table != "alembic_version"
        }

    expected = create_engine("sqlite://")
    Base.metadata.create_all(expected)
    assert shape(store.database.engine) == shape(expected)


def test_sqlite_survives_a_power_cut(store: Store) -> None:
    with store.database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
