"""Clicks on the rating buttons."""

from collections.abc import Callable
from typing import Any

import pytest

from assistant.channels.base import Intake, Rating
from assistant.channels.feishu.actions import FAILED, THANKS, UNKNOWN
from assistant.channels.feishu.cards import answer_card
from assistant.channels.feishu.reception import Reception
from tests.emulators.feishu_cards import buttons_of
from tests.emulators.feishu_client import FeishuUser, card_action_event

USER = FeishuUser("ou_1", "oc_1")


class Ratings:
    def __init__(self, outcome: Callable[[], bool] = lambda: True) -> None:
        self.stored: list[Rating] = []
        self.outcome = outcome
        intake = Intake(lambda message: pytest.fail("a click is no message"), self.rate)
        self.reception = Reception(intake, lambda: "")

    def rate(self, rating: Rating) -> bool:
        self.stored.append(rating)
        return self.outcome()

    def click(self, value: object, **changes: Any) -> dict[str, Any] | None:
        event = card_action_event(value, app_id="cli_1", verification_token="t", user=USER)
        event["event"].update(changes)
        return self.reception.receive(event)


@pytest.mark.parametrize(("chat", "number"), [("oc_1", 7), ("oc_1/om_5", 2**40)])
def test_the_buttons_of_an_answer_rate_it(chat: str, number: int) -> None:
    ratings = Ratings()
    good, bad = buttons_of(answer_card("an answer", number, chat, "zh"))
    assert ratings.click(good) == ratings.click(bad) == THANKS
    assert ratings.stored == [
        Rating("feishu", chat, number, 1, "ou_1"),
        Rating("feishu", chat, number, -1, "ou_1"),
    ]


def test_the_notice_is_in_both_languages() -> None:
    for notice in (THANKS, UNKNOWN, FAILED):
        assert {"en_us", "zh_cn"} <= notice["toast"]["i18n"].keys()
        assert all(words in notice["toast"]["content"] for words in notice["toast"]["i18n"].values())


def test_an_answer_that_is_not_known_there() -> None:
    assert Ratings(lambda: False).click({"answer": 7, "root": "", "score": 1}) == UNKNOWN


def test_the_chat_is_the_one_that_the_platform_names() -> None:
    ratings = Ratings()
    ratings.click({"answer": 7, "root": "", "score": 1, "chat": "oc_other"})
    assert [r.chat for r in ratings.stored] == ["oc_1"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        {},
        {"answer": "7", "score": 1},
        {"answer": 7, "score": 2},
        {"answer": 7, "score": True},
        {"answer": True, "score": 1},
        {"answer": 0, "score": 1},
        {"answer": 2**63, "score": 1},
        {"answer": 7, "score": 1, "root": "../x"},
        {"answer": 7, "score": 1, "root": 5},
    ],
)
def test_what_no_button_of_ours_sends_is_not_stored(value: object) -> None:
    ratings = Ratings()
    assert ratings.click(value) == UNKNOWN
    assert ratings.stored == []


@pytest.mark.parametrize("context", [None, {}, {"open_chat_id": "../x"}, {"open_chat_id": 5}])
def test_a_click_without_a_chat_is_not_stored(context: object) -> None:
    ratings = Ratings()
    assert ratings.click({"answer": 7, "root": "", "score": 1}, context=context) == UNKNOWN
    assert ratings.stored == []


def test_a_rating_that_could_not_be_stored_says_so() -> None:
    def fail() -> bool:
        raise OSError("the database is away")

    assert Ratings(fail).click({"answer": 7, "root": "", "score": 1}) == FAILED
