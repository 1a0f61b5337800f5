"""Known answers of processes that share a database, on both kinds of it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from assistant.answers.answers import Answers, Asked, Basis
from assistant.answers.cache import AnswerCache
from assistant.answers.keeper import AnswerKeeper
from assistant.inference.backend import Completion, Options
from assistant.messages import Incoming
from assistant.store import Database, Inbox, migrate
from assistant.store.known_answers import KnownAnswers
from assistant.store.models import CachedHits, PinnedHits
from assistant.store.ratings import Ratings


class Process:
    """One that answers: a cache of its own, and what keeps it in step with the database."""

    def __init__(self, database: Database) -> None:
        self.inbox = Inbox(database, 60)
        cache = AnswerCache(3600, self.inbox.is_kept)
        self.answers = Answers(Basis(lambda: "m", "sys", Options(100, 0.0, 60.0)), cache)
        self.keeper = AnswerKeeper(self.answers, KnownAnswers(database))
        self.keeper.step()

    def asked(self, text: str, platform: str = "telegram", hint: str = "") -> Asked:
        return self.answers.of_message(platform, text, hint=hint)

    def answer(self, text: str, number: int, reply: str = "a reply", **more: str) -> None:
        completion = Completion(text=reply, finish_reason="stop", prompt_tokens=1, completion_tokens=1)
        self.answers.keep(self.asked(text, **more), completion, number)

    def known(self, text: str, **more: str) -> str | None:
        found = self.answers.known(self.asked(text, **more))
        return None if found is None else found.text


class House:
    """Two processes, and the chats that they answer."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.one, self.two = Process(database), Process(database)
        self.count = 0

    def message(self, text: str, platform: str = "telegram", language: str = "") -> int:
        """Store an answered message; returns its number."""
        self.count += 1
        message = Incoming(platform, f"m{self.count}", f"c{self.count}", text, sender="7", language=language)
        self.one.inbox.accept(message)
        claim = self.one.inbox.claim()
        assert claim is not None and claim.text == text
        self.one.inbox.finish(claim, "a reply", push=True, remember=True, detail={"rateable": True})
        return claim.inbox_id

    def rate(self, number: int, score: int, platform: str = "telegram") -> None:
        """Rate as a third process takes it: neither of both is told."""
        assert Ratings(self.database).rate(platform, f"c{number}", number, score, "7")


@pytest.fixture
def house(any_database: str) -> Iterator[House]:
    database = Database(any_database)
    migrate(database)
    yield House(database)
    database.close()


def test_a_bad_rating_ends_the_answer_in_every_process(house: House) -> None:
    first, copy, other = (house.message(text) for text in ("When?", "when ?", "Where?"))
    for process in (house.one, house.two):
        process.answer("When?", first)
        process.answer("Where?", other)
    house.rate(other, 1)
    house.rate(copy, -1)
    for process in (house.one, house.two):
        assert process.known("When?") == "a reply"
        process.keeper.step()
        assert process.known("When?") is None
        assert process.known("Where?") == "a reply", (
            "a good rating ends nothing, nor a bad one of another answer"
        )


def test_the_answer_that_comes_after_it_stays(house: House) -> None:
    number = house.message("When?")
    house.one.answer("When?", number)
    house.rate(number, -1)
    house.one.keeper.step()
    assert house.one.known("When?") is None
    house.one.answer("When?", house.message("When?"), "another reply")
    house.one.keeper.step()
    assert house.one.known("When?") == "another reply"
    # The other process sees the rating only now, and has an answer that is younger.
    house.two.answer("When?", number, "another reply")
    house.two.keeper.step()
    assert house.two.known("When?") == "another reply"


def test_a_change_of_mind_counts_too(house: House) -> None:
    number = house.message("When?")
    house.two.answer("When?", number)
    house.rate(number, 1)
    house.two.keeper.step()
    assert house.two.known("When?") == "a reply"
    house.rate(number, -1)
    house.two.keeper.step()
    assert house.two.known("When?") is None


def test_tenant_and_language_are_kept_apart(house: House) -> None:
    number = house.message("OK?", "feishu", "zh")
    kept = (("feishu", "zh"), ("feishu", "en"), ("telegram", "zh"))
    for platform, hint in kept:
        house.two.answer("OK?", number, platform=platform, hint=hint)
    house.rate(number, -1, "feishu")
    house.two.keeper.step()
    left = [house.two.known("OK?", platform=platform, hint=hint) for platform, hint in kept]
    assert left[0] is None and left[2] == "a reply"


def test_clearing_pinning_and_counting_reach_all(house: House) -> None:
    number = house.message("When?")
    for process in (house.one, house.two):
        process.answer("When?", number)
        assert process.known("When?") == "a reply"
    operator = KnownAnswers(house.database)
    operator.clear()
    pin = operator.pin("Where?", "", "Here.")
    for process in (house.one, house.two):
        process.keeper.step()
        assert process.known("When?") is None
        assert process.known("Where?") == "Here."
        process.keeper.step()
    with house.database.read() as session:
        hits = session.get(CachedHits, number)
        assert hits is not None and hits.hits == 2
        assert session.execute(select(PinnedHits.question, PinnedHits.hits)).all() == [("Where?", 2)]
    assert operator.unpin([pin]) == [pin]
    house.two.keeper.step()
    assert house.two.known("Where?") is None
