"""What an operator sees of the inbox and the outbox, and what becomes of what was given up."""

from collections.abc import Iterator

import pytest
from sqlalchemy import event, select

from assistant.messages import Incoming
from assistant.store.claims import Claim
from assistant.store.dead_letters import DeadLetters, Key, Kind, NotGivenUpError, State
from assistant.store.models import DeadLetter, OutboxRow
from tests.unit.app.conftest import LEASE, Store

OPEN = [State.WAITING, State.WORKING, State.GIVEN_UP, State.DISCARDED]


@pytest.fixture
def letters(store: Store) -> DeadLetters:
    return DeadLetters(store.database)


@pytest.fixture
def statements(store: Store) -> Iterator[list[str]]:
    """Every statement that reaches the database from now on."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    event.listen(store.database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(store.database.engine, "before_cursor_execute", note)


def accept(store: Store, number: int = 1, chat: str = "c") -> Key:
    found = store.inbox.accept(
        Incoming("feishu", f"m{number}", chat, f"text {number}", reply_to=f"m{number}")
    )
    assert found is not None
    return Key(Kind.INBOX, found)


def claim(store: Store) -> Claim:
    found = store.inbox.claim()
    assert found is not None
    return found


def dead_message(store: Store, number: int = 1, chat: str = "c") -> Key:
    key = accept(store, number, chat)
    store.inbox.finish(claim(store), "sorry", push=True, remember=False, dead_reason="RequestError")
    return key


def send_all(store: Store) -> list[str]:
    sent = []
    while (delivery := store.outbox.claim(["feishu"])) is not None:
        assert store.outbox.sent(delivery)
        sent.append(delivery.text)
    return sent


def dead_reply(store: Store, number: int = 1) -> Key:
    accept(store, number)
    store.inbox.finish(claim(store), f"reply {number}", push=True, remember=True)
    delivery = store.outbox.claim(["feishu"])
    assert delivery is not None
    assert store.outbox.part_sent(delivery, 1)
    store.outbox.give_up(delivery, "feishu code 230011")
    return Key(Kind.OUTBOX, delivery.outbox_id)


def test_states_of_a_message(store: Store, letters: DeadLetters) -> None:
    key = accept(store)
    behind = accept(store, 2)

    def states() -> list[str]:
        return [f"{e.key} {e.state} {e.attempts}" for e in letters.entries(OPEN)[0]]

    assert states() == [f"{key} waiting 0", f"{behind} waiting 0"]
    taken = claim(store)
    assert states() == [f"{key} working 1", f"{behind} waiting 0"]
    store.clock.now += LEASE + 1
    assert states() == [f"{key} waiting 1", f"{behind} waiting 0"], "its process died"
    store.clock.now -= LEASE + 1
    store.inbox.finish(taken, "sorry", push=True, remember=False, dead_reason="RequestError")
    # The message behind it was received before the apology was made.
    store.clock.now += 5
    delivery = store.outbox.claim(["feishu"])
    assert delivery is not None
    assert states() == [f"{key} given-up 1", f"{behind} waiting 0", "outbox-1 working 1"]
    assert store.outbox.sent(delivery)
    assert states() == [f"{key} given-up 1", f"{behind} waiting 0"]
    entry = letters.entry(key)
    assert entry is not None
    assert (entry.age, entry.reason, entry.channel) == (5.0, "RequestError", "feishu")
    assert letters.entry(Key(Kind.INBOX, 99)) is None
    assert letters.details(Key(Kind.OUTBOX, 99)) is None


def test_limit_keeps_the_oldest_of_both_tables(store: Store, letters: DeadLetters) -> None:
    reply = dead_reply(store)
    store.clock.now += 1
    first = dead_message(store, 2)
    store.clock.now += 1
    dead_message(store, 3)
    entries, total = letters.entries([State.GIVEN_UP], 2)
    assert ([e.key for e in entries], total) == ([reply, first], 3)


def test_message_that_is_put_back_is_answered_and_the_answer_sent(store: Store, letters: DeadLetters) -> None:
    key = dead_message(store)
    assert send_all(store) == ["sorry"]
    store.clock.now += 100
    put = letters.retry(key)
    values = letters.details(key)
    assert values is not None
    assert (values["available_at"], values["finished_at"]) == (store.clock.now, None)
    assert (put.reason, put.apology) == ("RequestError", Key(Kind.OUTBOX, 1))
    assert store.outbox.dead_letters() == 0
    again = claim(store)
    assert (again.inbox_id, again.attempts, again.text) == (key.number, 1, "text 1")
    store.inbox.finish(again, "answer", push=True, remember=True)
    assert send_all(store) == ["answer"]
    entry = letters.entry(key)
    assert entry is not None
    assert entry.state is State.DONE


def test_answer_has_another_key_than_the_apology(store: Store, letters: DeadLetters) -> None:
    def idempotency_key() -> str:
        with store.database.read() as session:
            return session.execute(select(OutboxRow.idempotency_key)).scalar_one()

    key = dead_message(store)
    before = idempotency_key()
    letters.retry(key)
    store.inbox.finish(claim(store), "answer", push=True, remember=True)
    assert idempotency_key() != before, "Feishu would drop the answer as a repetition"


def test_apology_that_is_being_sent_does_no_harm(store: Store, letters: DeadLetters) -> None:
    key = dead_message(store)
    delivery = store.outbox.claim(["feishu"])
    assert delivery is not None
    letters.retry(key)
    store.inbox.finish(claim(store), "answer", push=True, remember=True)
    # The sender comes back with the apology; SQLite may have given its number to the answer.
    assert not store.outbox.sent(delivery)
    store.outbox.give_up(delivery, "late")
    assert store.outbox.dead_letters() == 0
    assert send_all(store) == ["answer"]


def test_apology_that_was_given_up_goes_with_its_message(store: Store, letters: DeadLetters) -> None:
    key = dead_message(store)
    delivery = store.outbox.claim(["feishu"])
    assert delivery is not None
    store.outbox.give_up(delivery, "feishu code 230011")
    assert store.outbox.dead_letters() == 2
    letters.retry(key)
    assert letters.entries([State.GIVEN_UP]) == ([], 0)
    # Both may fail again, under the same numbers.
    store.inbox.finish(claim(store), "sorry", push=True, remember=False, dead_reason="RequestError")
    delivery = store.outbox.claim(["feishu"])
    assert delivery is not None
    store.outbox.give_up(delivery, "feishu code 230011")
    assert store.outbox.dead_letters() == 2


def test_messages_that_are_put_back_keep_their_order(store: Store, letters: DeadLetters) -> None:
    first, second = dead_message(store, 1), dead_message(store, 2)
    accept(store, 3)
    for key in (second, first):
        letters.retry(key)
    order = []
    while (taken := store.inbox.claim()) is not None:
        order.append(taken.text)
        store.inbox.finish(taken, f"re {taken.text}", push=True, remember=True)
    assert order == ["text 1", "text 2", "text 3"]
    assert send_all(store) == ["re text 1", "re text 2", "re text 3"]


def test_reply_that_is_put_back_goes_on_where_it_stopped(store: Store, letters: DeadLetters) -> None:
    key = dead_reply(store)
    with store.database.read() as session:
        before = session.execute(select(OutboxRow.idempotency_key)).scalar_one()
    accept(store, 2)
    store.inbox.finish(claim(store), "later", push=True, remember=True)
    put = letters.retry(key)
    assert (put.reason, put.apology) == ("feishu code 230011", None)
    delivery = store.outbox.claim(["feishu"])
    assert delivery is not None
    assert (delivery.outbox_id, delivery.attempts, delivery.parts_sent) == (key.number, 1, 1)
    assert delivery.idempotency_key == before
    store.outbox.give_up(delivery, "again")
    entry = letters.entry(key)
    assert entry is not None
    assert entry.reason == "again"
    letters.retry(key)
    assert send_all(store) == ["reply 1", "later"], "before the later one, which was not sent yet"


@pytest.mark.parametrize("make", [dead_message, dead_reply])
def test_discarded_is_kept_and_not_counted(store: Store, letters: DeadLetters, make: object) -> None:
    assert callable(make)
    key = make(store)
    send_all(store)
    assert store.outbox.dead_letters() == 1
    reason = letters.discard(key)
    assert store.outbox.dead_letters() == 0
    ((entry,), total) = letters.entries([State.DISCARDED])
    assert (entry.key, entry.reason, total) == (key, reason, 1)
    assert reason
    assert store.inbox.claim() is None
    assert send_all(store) == []
    with store.database.read() as session:
        assert session.execute(select(DeadLetter.reason)).scalar_one() == reason
    for act in (letters.retry, letters.discard):
        with pytest.raises(NotGivenUpError) as caught:
            act(key)
        assert caught.value.state is State.DISCARDED


def test_caller_of_a_discarded_message_still_learns_that_it_failed(
    store: Store, letters: DeadLetters
) -> None:
    key = dead_message(store)
    letters.discard(key)
    reply = store.outbox.reply_to(key.number)
    assert reply is not None
    assert reply.failed


def test_only_what_was_given_up_can_be_put_back(store: Store, letters: DeadLetters) -> None:
    key = accept(store)
    for wrong, state in ((key, State.WAITING), (Key(Kind.INBOX, 99), None), (Key(Kind.OUTBOX, 1), None)):
        with pytest.raises(NotGivenUpError) as caught:
            letters.retry(wrong)
        assert caught.value.state is state
    assert claim(store).attempts == 1


def test_a_change_locks_before_it_looks(store: Store, letters: DeadLetters, statements: list[str]) -> None:
    key = dead_message(store)
    statements.clear()
    letters.retry(key)
    assert [s for s in statements if s.startswith("BEGIN")] == ["BEGIN IMMEDIATE"]
    assert statements[0] == "BEGIN IMMEDIATE"
