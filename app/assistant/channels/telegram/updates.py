"""Reading Telegram's updates.

Source: core.telegram.org/bots/api#update.
"""

import re

from telegram import CallbackQuery, Message, MessageEntity, Update

from assistant.channels.telegram import PLATFORM, shapes
from assistant.channels.telegram.ratings import Click, read_data
from assistant.messages import Incoming, Kind
from assistant.texts import kind_of


class MalformedUpdateError(Exception):
    """This is not an update."""


class UnknownNameError(Exception):
    """It cannot be told whether a group's message is for the bot: its name is not known yet."""


def parse(value: dict[str, object]) -> Update:
    """Return ``value`` as an update.

    Raises:
        MalformedUpdateError: it lacks a number or its parts have wrong types.
    """
    try:
        shapes.Update.model_validate(value)
        return Update.de_json(value, None)
    except Exception:  # The library raises whatever a wrong type leads to.
        raise MalformedUpdateError from None


def read(update: Update, bot_name: str) -> Incoming | Click | None:
    """Return the message or the click in ``update``, or None when there is nothing for the assistant.

    Args:
        update: the update.
        bot_name: the bot's user name without @, or empty while it is unknown.

    Raises:
        UnknownNameError: the name is needed and unknown; the update must come again.
        MalformedUpdateError: something in it has a wrong type.
    """
    try:
        return _read(update, bot_name)
    except (TypeError, AttributeError, ValueError, OverflowError):
        # The library takes any value for any field.
        raise MalformedUpdateError from None


def _read(update: Update, bot_name: str) -> Incoming | Click | None:
    if update.callback_query is not None:
        return _read_click(update.callback_query)
    if update.message is not None:
        return _read_message(update.message, bot_name, "")
    edited = update.edited_message
    # An edit without a text is a picture's or a moving position's: nothing that could be answered.
    if edited is not None and edited.text and edited.edit_date is not None:
        return _read_message(edited, bot_name, f"e{edited.edit_date.timestamp():.0f}")
    return None


def _read_message(message: Message, bot_name: str, edition: str) -> Incoming | None:
    if not _is_by_a_person(message):
        return None
    text = message.text or ""
    if message.chat.type != "private":
        if not bot_name and _has_words(message):
            raise UnknownNameError
        if not _is_for_bot(message, bot_name):
            return None
        text = _without_mention(text, bot_name)
    elif not text and not _is_content(message):
        return None
    text = text.strip()
    number = f"{message.chat.id}:{message.message_id}"
    return Incoming(
        platform=PLATFORM,
        message_id=f"{number}:{edition}" if edition else number,
        chat=_chat(message),
        text=text,
        reply_to=str(message.message_id),
        kind=kind_of(text) if text else Kind.UNSUPPORTED,
        sender=_sender(message),
        language=_language(message.from_user.language_code if message.from_user else None),
        edits=number if edition else "",
    )


def _read_click(query: CallbackQuery) -> Click | None:
    message = query.message
    if message is None:  # a button under a message that was sent through inline mode, which is not used
        return None
    number, score = read_data(query.data or "")
    return Click(
        query=query.id,
        chat=_chat(message) if isinstance(message, Message) else str(message.chat.id),
        message=message.message_id,
        sender=str(query.from_user.id),
        language=_language(query.from_user.language_code),
        number=number,
        score=score,
    )


def _language(code: str | None) -> str:
    """Return zh or en for an IETF language tag, or nothing for another language."""
    primary = (code or "").lower().replace("_", "-").split("-")[0]
    return primary if primary in {"zh", "en"} else ""


def _is_by_a_person(message: Message) -> bool:
    """Whether a person wrote it: no bot, and no post that Telegram copies from a channel."""
    if message.is_automatic_forward:
        return False
    # Who writes in a group's or a channel's name appears as a bot of Telegram's, with the name beside it.
    if message.sender_chat is not None:
        return True
    return message.from_user is None or not message.from_user.is_bot


def _sender(message: Message) -> str:
    if message.sender_chat is not None:
        return str(message.sender_chat.id)
    return str(message.from_user.id) if message.from_user is not None else ""


def _chat(message: Message) -> str:
    # A topic of a forum is a conversation of its own.
    if message.is_topic_message and message.message_thread_id:
        return f"{message.chat.id}/{message.message_thread_id}"
    return str(message.chat.id)


def _is_content(message: Message) -> bool:
    """Whether a person sent something, rather than Telegram announcing a change of the chat."""
    return message.effective_attachment is not None


def _has_words(message: Message) -> bool:
    return bool(message.text or message.caption)


def _is_for_bot(message: Message, bot_name: str) -> bool:
    replied = message.reply_to_message
    if replied is not None and replied.from_user is not None and replied.from_user.is_bot:
        # In a topic, each message is a "reply" to the announcement of the topic.
        to_us = (replied.from_user.username or "").lower() == bot_name.lower()
        if to_us and replied.forum_topic_created is None:
            return _has_words(message) or _is_content(message)
    text = message.text or ""
    if text.startswith("/"):
        _, _, addressee = text.split(maxsplit=1)[0].partition("@")
        if addressee:
            return addressee.lower() == bot_name.lower()
        return kind_of(text) is not Kind.CHAT
    return any(mention.lower() == f"@{bot_name.lower()}" for mention in _mentions(message))


def _mentions(message: Message) -> list[str]:
    wanted: list[str | None] = [MessageEntity.MENTION]
    try:
        if message.text:
            return list(message.parse_entities(wanted).values())
        return list(message.parse_caption_entities(wanted).values()) if message.caption else []
    except UnicodeError:  # offsets within a surrogate pair, or half of one in the text
        return []


def _without_mention(text: str, bot_name: str) -> str:
    if text.startswith("/"):
        return text
    return re.sub(rf"@{re.escape(bot_name)}(?!\w)", "", text, count=1, flags=re.IGNORECASE | re.ASCII)
