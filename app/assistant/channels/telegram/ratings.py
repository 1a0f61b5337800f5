"""The two buttons under an answer, and a click on one of them.

Sources: core.telegram.org/bots/api#inlinekeyboardbutton (callback_data: 1-64 bytes), #callbackquery.
"""

from dataclasses import dataclass

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

GOOD, BAD = 1, -1
_SIGNS = {GOOD: "👍", BAD: "👎"}
_CHOSEN = "✓ "
_PREFIX = "rate"
_LONGEST = len(str(2**63))

STORED = {
    "en": "Thank you for rating this answer.",
    "zh": "谢谢你的评价。",
}
NOT_STORED = {
    "en": "This answer cannot be rated here.",
    "zh": "这条回答不能在这里评价。",
}


@dataclass(frozen=True)
class Click:
    """A click on a button that the bot sent.

    ``query`` names the click for the answer to it; ``chat`` is the conversation, ``message`` the message with
    the button, ``number`` and ``score`` those of ``Rating``; ``number`` is 0 for a button that is not ours.
    """

    query: str
    chat: str
    message: int
    sender: str
    language: str
    number: int = 0
    score: int = 0


def buttons(number: int, chosen: int = 0) -> InlineKeyboardMarkup | None:
    """Return the buttons for the answer ``number``, None for 0; ``chosen`` is the score that is marked."""
    if not number:
        return None
    return InlineKeyboardMarkup(
        [
            [
                InlineKeyboardButton(
                    f"{_CHOSEN if score == chosen else ''}{sign}", callback_data=f"{_PREFIX}:{number}:{score}"
                )
                for score, sign in _SIGNS.items()
            ]
        ]
    )


def read_data(data: str) -> tuple[int, int]:
    """Return the number and the score in a button's data; zeros for a button that is not ours."""
    prefix, _, rest = data.partition(":")
    number, _, score = rest.partition(":")
    if prefix != _PREFIX or not number.isascii() or not number.isdecimal() or len(number) > _LONGEST:
        return 0, 0
    return (int(number), int(score)) if score in {str(GOOD), str(BAD)} else (0, 0)


def answer(stored: bool, language: str) -> str:
    """Return what the person reads after a click, in ``language`` (en, zh, or empty for both)."""
    texts = STORED if stored else NOT_STORED
    return texts.get(language, " ".join(texts.values()))
