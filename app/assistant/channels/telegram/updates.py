"""Reading Telegram's updates.

Source: core.telegram.org/bots/api#update.
"""

from telegram import Message, MessageEntity, Update

from assistant.channels.telegram import PLATFORM, shapes
from assistant.messages import Incoming, Kind
from assistant.texts import kind_of


class MalformedUpdateError(Exception):
    """This is not an update."""


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


def read_message(update: Update, bot_name: str) -> Incoming | None:
    """Return the message in ``update``, or None when there is nothing in it for the assistant.

    Args:
        update: the update.
        bot_name: the bot's user name without @, or empty while it is unknown.
    """
    message = update.message
    if message is None or (message.from_user is not None and message.from_user.is_bot):
        return None
    text = message.text or ""
    if message.chat.type != "private":
        if not _is_for_bot(message, bot_name):
            return None
        if bot_name:
            text = _without_mention(text, bot_name)
    elif not text and not _is_content(message):
        return None
    text = text.strip()
    return Incoming(
        platform=PLATFORM,
        message_id=f"{message.chat.id}:{message.message_id}",
        chat=_chat(message),
        text=text,
        reply_to=str(message.message_id),
        kind=kind_of(text) if text else Kind.UNSUPPORTED,
        sender=str(message.from_user.id) if message.from_user is not None else "",
    )


def _chat(message: Message) -> str:
    # A topic of a forum is a conversation of its own.
    if message.is_topic_message and message.message_thread_id:
        return f"{message.chat.id}/{message.message_thread_id}"
    return str(message.chat.id)


def _is_content(message: Message) -> bool:
    """Whether a person sent something, rather than Telegram announcing a change of the chat."""
    return message.effective_attachment is not None


def _is_for_bot(message: Message, bot_name: str) -> bool:
    text = message.text or ""
    if not text:
        return False
    replied = message.reply_to_message
    if replied is not None and replied.from_user is not None and replied.from_user.is_bot:
        return not bot_name or (replied.from_user.username or "").lower() == bot_name.lower()
    if text.startswith("/"):
        _, _, addressee = text.split(maxsplit=1)[0].partition("@")
        if addressee:
            return addressee.lower() == bot_name.lower()
        return kind_of(text) is not Kind.CHAT
    mentions = message.parse_entities([MessageEntity.MENTION]).values()
    return any(m.lower() == f"@{bot_name.lower()}" for m in mentions)


def _without_mention(text: str, bot_name: str) -> str:
    if text.startswith("/"):
        return text
    start = text.lower().find(f"@{bot_name.lower()}")
    return text if start < 0 else text[:start] + text[start + len(bot_name) + 1 :]
