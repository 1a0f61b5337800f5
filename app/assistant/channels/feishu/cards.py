"""The cards that answers are shown in.

Source: open.feishu.cn, "Card JSON 2.0 structure", its components "Rich text" and "Button", and "Streaming
card updates". Cards of this structure need Feishu 7.20 or newer; older clients show a hint to update.
"""

from typing import Any

from assistant.channels.feishu.conversations import conversation
from assistant.channels.feishu.markdown import safe_markdown, summary

ANSWER_ELEMENT = "answer"
GOOD, BAD = 1, -1
_LABELS = {
    "en": ("👍 Helpful", "👎 Not helpful"),
    "zh": ("👍 有帮助", "👎 没帮助"),
    "": ("👍", "👎"),
}
# The client types what is new: 4 characters every 30 ms, or it would fall behind the model.
_STREAMING = {
    "print_frequency_ms": {"default": 30},
    "print_step": {"default": 4},
    "print_strategy": "fast",
}


def streaming_config(*, on: bool) -> dict[str, Any]:
    """Return the settings that turn streaming on or off."""
    return {"streaming_mode": on, **({"streaming_config": _STREAMING} if on else {})}


def draft_card(text: str) -> dict[str, Any]:
    """Return a card with the beginning of an answer, into which more can be streamed."""
    return _card({"update_multi": True, **streaming_config(on=True)}, [_markdown(text)])


def answer_card(text: str, rateable: int, chat: str, language: str) -> dict[str, Any]:
    """Return the card of a finished answer.

    Args:
        text: the answer in Markdown.
        rateable: the answer's number for the rating buttons; 0 for none.
        chat: the conversation in which it is given.
        language: of the buttons: en, zh, or empty for signs alone.
    """
    return _finished(text, _markdown(text), rateable, chat, language)


def plain_card(text: str, rateable: int, chat: str, language: str) -> dict[str, Any]:
    """Return the same card with the text as it is, for what Feishu does not take as Markdown."""
    element = {
        "tag": "div",
        "element_id": ANSWER_ELEMENT,
        "text": {"tag": "plain_text", "content": text},
    }
    return _finished(text, element, rateable, chat, language)


def _finished(text: str, element: dict[str, Any], rateable: int, chat: str, language: str) -> dict[str, Any]:
    config = {
        "update_multi": True,
        **streaming_config(on=False),
        "enable_forward_interaction": False,
        "summary": {"content": summary(text)},
    }
    buttons = [_buttons(rateable, chat, language)] if rateable else []
    return _card(config, [element, *buttons])


def _card(config: dict[str, Any], elements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"schema": "2.0", "config": config, "body": {"elements": elements}}


def _markdown(text: str) -> dict[str, Any]:
    return {"tag": "markdown", "element_id": ANSWER_ELEMENT, "content": safe_markdown(text)}


def _buttons(rateable: int, chat: str, language: str) -> dict[str, Any]:
    good, bad = _LABELS.get(language, _LABELS[""])
    place = conversation(chat)
    columns = [
        {
            "tag": "column",
            "width": "auto",
            "elements": [
                {
                    "tag": "button",
                    "element_id": name,
                    "type": "text",
                    "size": "small",
                    "text": {"tag": "plain_text", "content": label},
                    # What comes back with a click: which answer, where it was given, and what it is worth.
                    "behaviors": [
                        {
                            "type": "callback",
                            "value": {"answer": rateable, "root": place.root, "score": score},
                        }
                    ],
                }
            ],
        }
        for name, label, score in (("rate_good", good, GOOD), ("rate_bad", bad, BAD))
    ]
    return {"tag": "column_set", "element_id": "rating", "horizontal_spacing": "8px", "columns": columns}
