"""Clicks on the rating buttons of an answer.

Source: open.feishu.cn, "Card callback" (card.action.trigger): answered within 3 seconds with a short notice,
or the person sees an error; a notice may have several languages, and the client takes its own.
"""

from typing import Any

from assistant.channels.base import Intake, Rating
from assistant.channels.feishu import PLATFORM
from assistant.channels.feishu.cards import BAD, GOOD
from assistant.channels.feishu.content import mapping
from assistant.channels.feishu.conversations import Conversation, is_id
from assistant.logs import Log

log = Log(__name__)
ACTION_EVENT = "card.action.trigger"
LARGEST_NUMBER = 2**63 - 1


def _toast(kind: str, english: str, chinese: str) -> dict[str, Any]:
    return {
        "toast": {
            "type": kind,
            "content": f"{english} {chinese}",
            "i18n": {"en_us": english, "zh_cn": chinese},
        }
    }


THANKS = _toast("success", "Thank you for the rating.", "谢谢你的评价。")
UNKNOWN = _toast("warning", "This answer cannot be rated (any more).", "这条回答（已）无法评价。")
FAILED = _toast("error", "Your rating was not stored. Please try again.", "评价没有保存，请稍后再试。")


def rate(event: dict[str, Any], intake: Intake) -> dict[str, Any]:
    """Store the rating that a click stands for; returns the notice that the person gets.

    The chat of the answer is the one in which the platform says the card was clicked: a number from elsewhere
    is unknown there. Only a topic in it is named by the button.
    """
    rating = _read(event)
    if rating is None:
        return UNKNOWN
    try:
        return THANKS if intake.rate(rating) else UNKNOWN
    except Exception:
        # The platform never repeats a click; the person can, if told.
        log.exception("a rating was not stored", platform=PLATFORM)
        return FAILED


def _read(event: dict[str, Any]) -> Rating | None:
    body = mapping(event.get("event"))
    value = mapping(mapping(body.get("action")).get("value"))
    chat_id = mapping(body.get("context")).get("open_chat_id")
    person = mapping(body.get("operator")).get("open_id")
    number, score, root = value.get("answer"), value.get("score"), value.get("root", "")
    if not isinstance(chat_id, str) or not is_id(chat_id) or not (root == "" or is_id(root)):
        return None
    if type(number) is not int or not 0 < number <= LARGEST_NUMBER:
        return None
    if type(score) is not int or score not in {GOOD, BAD}:
        return None
    return Rating(
        platform=PLATFORM,
        chat=Conversation(chat_id, root).name,
        number=number,
        score=score,
        sender=person if isinstance(person, str) and is_id(person) else "",
    )
