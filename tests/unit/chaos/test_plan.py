"""A plan is drawn from its seed alone, and holds what was asked for."""

from __future__ import annotations

from collections import Counter

from tests.chaos.plan import PLATFORMS, make_plan


def test_same_seed_same_plan() -> None:
    assert make_plan(5, 500, 200, 20) == make_plan(5, 500, 200, 20) != make_plan(6, 500, 200, 20)


def test_holds_all_messages_conversations_and_kills() -> None:
    plan = make_plan(5, 500, 200, 20)
    assert (len(plan.messages), len(plan.lives)) == (500, 20)
    assert [message.number for message in plan.messages] == list(range(500))
    chats = Counter((message.platform, message.chat) for message in plan.messages)
    assert len(chats) == 200 and set(chats.values()) == {2, 3}
    assert Counter(platform for platform, _ in chats) == dict.fromkeys(PLATFORMS, 100)
    assert len({message.text for message in plan.messages}) == 500


def test_messages_are_numbered_in_the_order_of_their_times() -> None:
    times = [message.after for message in make_plan(5, 500, 200, 20).messages]
    assert times == sorted(times)
