"""Which questions are asked most: what is counted, and what goes with the messages."""

from sqlalchemy import select

from assistant.answers.cache import AnswerCache
from assistant.answers.keeper import AnswerKeeper
from assistant.answers.pinned import Pin, Pinned
from assistant.answers.question import normalised
from assistant.store.frequent import frequent
from assistant.store.known_answers import KnownAnswers
from assistant.store.models import CachedHits, PinnedHits
from assistant.store.retention import DAY, Retention, erase
from tests.unit.app.conftest import Store
from tests.unit.app.test_answer_cache import ask, call, made
from tests.unit.app.test_worker_and_sender import Backend, step, worker


def test_a_pinned_answer_is_counted_alike_in_a_chat_and_for_an_api_call(store: Store) -> None:
    answers = made(AnswerCache(60), pinned=Pinned([Pin("When?", {"": "pinned"})]))
    ask(store, 1, "a", "when ?", sender="x")
    step(worker(store, Backend(), answers=answers))
    keeper = AnswerKeeper(answers, KnownAnswers(store.database))
    asked = answers.of_call({"messages": [{"role": "user", "content": "WHEN ?"}]})
    assert asked is not None
    for expected in (2, 3):
        assert answers.may_know(asked)
        assert answers.known(asked) is not None
        keeper.step()
        (one,) = frequent(store.database, 3600, normalised)
        assert (one.asked, one.without_model, one.askers) == (expected, expected, {"feishu:x", "api"})
    store.clock.now += 3 * DAY
    answers.known(asked)
    keeper.step()
    retention = Retention(store.database, 2)
    while not retention.delete_batch().last:
        pass
    with store.database.read() as session:
        assert session.execute(select(PinnedHits.day, PinnedHits.hits)).all() == [(store.clock.now // DAY, 1)]


def test_frequent_questions_are_counted_from_the_messages_that_are_kept(store: Store) -> None:
    backend = Backend(*"abcdefgh")
    answers = made(AnswerCache(60, store.inbox.is_kept))
    subject = worker(store, backend, answers=answers)
    for number, (chat, text, sender) in enumerate(
        [("a", "Hello!", "x"), ("b", "hello", "y"), ("c", "HELLO", "z"), ("d", "alone", "x")], 1
    ):
        ask(store, number, chat, text, sender=sender)
        step(subject)
    call(store, 5, "hello")
    step(subject)
    asked = answers.of_call({"messages": [{"role": "user", "content": "Hello"}], "temperature": 0})
    assert asked is not None
    for _ in range(4):
        assert answers.known(asked) is not None
    keeper = AnswerKeeper(answers, KnownAnswers(store.database))
    keeper.step()
    keeper.step()
    assert answers.known(asked) is not None
    keeper.step()
    found = frequent(store.database, 3600, str.lower)
    by_text = {one.text.lower().rstrip("!"): one for one in found}
    hello = frequent(store.database, 3600, lambda text: text.lower().rstrip("!"))[0]
    assert (hello.text, hello.asked, hello.without_model, len(hello.askers)) == ("Hello!", 9, 7, 4)
    assert by_text["alone"].asked == 1
    erase(store.database, [5])
    with store.database.read() as session:
        assert session.execute(select(CachedHits)).first() is None
    hello = frequent(store.database, 3600, lambda text: text.lower().rstrip("!"))[0]
    assert (hello.asked, len(hello.askers)) == (3, 3)
    KnownAnswers(store.database).add_hits({5: 3})
    with store.database.read() as session:
        assert session.execute(select(CachedHits)).first() is None, "what was deleted has no statistics"
