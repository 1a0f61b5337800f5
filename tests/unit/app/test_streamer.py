"""Drafts: opened once, changed at the platform's pace, and silent once the reply is committed."""

import threading

import pytest

from assistant import correlation
from assistant.channels.base import Part, PermanentError, TransientError
from assistant.live import Live, LiveAnswer
from assistant.messages import Incoming
from assistant.store.drafts import Drafts
from assistant.streamer import OPEN_AFTER_SECONDS, TYPING_SECONDS, Streamer
from tests.unit.app.conftest import Store


class Channel:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.keys: list[str] = []
        self.pace = 1.0
        self.failure: Exception | None = None
        self.hold = threading.Event()
        self.hold.set()
        self.entered = threading.Event()

    def split(self, text: str) -> list[str]:
        return [text]

    def send(self, part: Part) -> None: ...

    def show_typing(self, chat: str) -> None:
        self.calls.append(("typing", chat))

    def draft_seconds(self, chat: str) -> float:
        return self.pace

    def open_draft(self, part: Part) -> str:
        self.entered.set()
        self.hold.wait(10)
        if self.failure:
            raise self.failure
        self.keys.append(part.key)
        self.calls.append(("open", part.text))
        return f"draft-{part.key}"

    def change_draft(self, chat: str, draft: str, text: str) -> None:
        assert draft == f"draft-{self.keys[-1]}"
        self.calls.append(("change", text))


class Stage:
    """A streamer on a store with one message, and a clock that the test moves."""

    def __init__(self, store: Store) -> None:
        self.store, self.now = store, 100.0
        number = store.inbox.accept(Incoming("feishu", "m1", "c", "question"))
        assert number is not None
        self.number, self.live, self.channel = number, Live(), Channel()
        self.drafts = Drafts(store.database)
        self.streamer = self.new_streamer()

    def new_streamer(self) -> Streamer:
        return Streamer(
            self.live, self.drafts, {"feishu": self.channel}, clock=lambda: self.now, open_after=0.0
        )

    def begin(self) -> LiveAnswer:
        return self.live.begin(LiveAnswer(self.number, "feishu", "c", "m1", "en"))

    def step(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.streamer.step("feishu")


@pytest.fixture
def stage(store: Store) -> Stage:
    return Stage(store)


def test_typing_then_a_draft_that_grows_at_the_platforms_pace(stage: Stage) -> None:
    answer = stage.begin()
    stage.step()
    stage.step(1)
    stage.step(TYPING_SECONDS)
    assert stage.channel.calls == [("typing", "c"), ("typing", "c")]
    answer.say("The first words ")
    stage.step()
    answer.say("and more")
    stage.step(0.5)
    stage.step(0.6)
    stage.step(5)
    assert stage.channel.calls[2:] == [
        ("open", "The first words"),
        ("change", "The first words and more"),
    ]


def test_second_try_goes_on_in_the_draft_of_the_first(stage: Stage) -> None:
    stage.begin().say("An answer that the process did not survive")
    stage.step()
    stage.live.end(stage.number)
    stage.streamer = stage.new_streamer()
    stage.begin().say("Another answer of the second try")
    stage.step(10)
    assert [kind for kind, _ in stage.channel.calls] == ["open", "change"]


def test_key_of_a_draft_that_may_be_open_is_used_again_and_is_the_replys(stage: Stage) -> None:
    key, reference = stage.drafts.begin(stage.number)
    assert reference == ""
    assert stage.drafts.begin(stage.number) == (key, "")
    stage.begin().say("Killed between opening and noting")
    stage.step()
    assert stage.channel.keys == [key]
    claim = stage.store.inbox.claim()
    assert claim is not None
    stage.store.inbox.finish(claim, "done", push=True, remember=True)
    delivery = stage.store.outbox.claim(["feishu"])
    assert delivery is not None
    assert (delivery.idempotency_key, delivery.draft) == (key, f"draft-{key}")


def test_nothing_is_shown_after_the_answer_has_settled(stage: Stage) -> None:
    answer = stage.begin()
    answer.say("The first words of it")
    stage.streamer.settle(stage.number)
    stage.step(60)
    assert stage.channel.calls == []


@pytest.mark.parametrize("opened", [False, True])
def test_draft_waits_for_the_earlier_reply_to_have_its_place(stage: Stage, opened: bool) -> None:
    if opened:
        stage.drafts.begin(stage.number)
        stage.drafts.opened(stage.number, "an earlier card")
    earlier = stage.store.inbox.claim()
    assert earlier is not None
    stage.store.inbox.finish(earlier, "the earlier reply", push=True, remember=True)
    later = stage.store.inbox.accept(Incoming("feishu", "m2", "c", "another question"))
    assert later is not None
    stage.live.begin(LiveAnswer(later, "feishu", "c", "m2", "en")).say("The answer to the later one")
    stage.step()
    stage.step(5)
    begun = [("open", "The answer to the later one")]
    assert stage.channel.calls == (begun if opened else [])
    reply = stage.store.outbox.claim(["feishu"])
    assert reply is not None and stage.store.outbox.sent(reply)
    stage.step(5)
    assert stage.channel.calls == begun


def test_no_draft_of_an_answer_that_ended_during_anothers_call(stage: Stage) -> None:
    other = stage.store.inbox.accept(Incoming("feishu", "m2", "d", "question"))
    assert other is not None

    class Slow(Channel):
        def open_draft(self, part: Part) -> str:
            if part.reply_to == "m1":
                stage.streamer.settle(other)
                stage.live.end(other)
                stage.streamer.step("telegram")  # another thread tidies up
            return super().open_draft(part)

    stage.channel = Slow()
    channels = {"feishu": stage.channel, "telegram": Channel()}
    stage.streamer = Streamer(stage.live, stage.drafts, channels, clock=lambda: stage.now, open_after=0.0)
    stage.begin().say("The answer whose draft takes long")
    stage.live.begin(LiveAnswer(other, "feishu", "d", "m2", "en")).say("The answer that ends meanwhile")
    stage.step()
    assert stage.channel.calls == [("open", "The answer whose draft takes long")]


def test_settling_waits_for_the_call_that_is_under_way(stage: Stage) -> None:
    stage.begin().say("The first words of it")
    stage.channel.hold.clear()
    showing = threading.Thread(target=stage.step)
    showing.start()
    assert stage.channel.entered.wait(10)
    settled = threading.Event()
    settling = threading.Thread(target=lambda: (stage.streamer.settle(stage.number), settled.set()))
    settling.start()
    assert not settled.wait(0.2)
    stage.channel.hold.set()
    showing.join(10)
    assert settled.wait(10)
    assert stage.drafts.begin(stage.number)[1] == f"draft-{stage.channel.keys[0]}"
    settling.join(10)


def test_permanent_error_ends_the_drafts_of_this_answer(stage: Stage) -> None:
    stage.channel.failure = PermanentError("no")
    answer = stage.begin()
    answer.say("The first words of it")
    stage.step()
    stage.channel.failure = None
    answer.say(" and more")
    stage.step(600)
    assert stage.channel.calls == []


def test_platform_that_asks_for_patience_gets_it(stage: Stage) -> None:
    stage.channel.failure = TransientError("rate limit", 30)
    stage.begin().say("The first words of it")
    stage.step()
    stage.channel.failure = None
    stage.step(29)
    assert stage.channel.calls == []
    stage.step(2)
    assert stage.channel.calls == [("open", "The first words of it")]


def test_platform_without_drafts_shows_typing_alone(stage: Stage) -> None:
    stage.channel.pace = 0.0
    stage.begin().say("The first words of it")
    stage.step()
    assert stage.channel.calls == [("typing", "c")]


def test_answer_that_is_soon_there_gets_no_draft(stage: Stage) -> None:
    stage.streamer = Streamer(stage.live, stage.drafts, {"feishu": stage.channel}, clock=lambda: stage.now)
    stage.begin().say("An answer that takes a while")
    stage.step()
    stage.step(OPEN_AFTER_SECONDS - 0.01)
    assert stage.channel.calls == [("typing", "c")]
    stage.step(0.01)
    assert stage.channel.calls == [("typing", "c"), ("open", "An answer that takes a while")]


def test_live_answer_can_be_waited_for(stage: Stage) -> None:
    answer = stage.begin()
    threading.Timer(0.05, answer.say, ("hello",)).start()
    assert answer.wait(0, 10).text == "hello"
    threading.Timer(0.05, stage.live.end, (stage.number,)).start()
    assert answer.wait(5, 10).ended
    assert stage.live.of(stage.number) is None


def test_a_draft_is_shown_under_the_id_of_its_message(stage: Stage) -> None:
    found: list[str] = []

    class Asking(Channel):
        def open_draft(self, part: Part) -> str:
            found.append(correlation.current())
            return super().open_draft(part)

    stage.channel = Asking()
    stage.streamer = stage.new_streamer()
    with correlation.following("a" * 32):
        answer = stage.begin()
    answer.say("A long enough beginning")
    with correlation.following(""):
        stage.step()
    assert found == ["a" * 32]
