"""``python -m assistant forget``: what is kept of one person, and its deletion.

Safe beside a live service, and with several of them on one database: see ``store/retention.py``.
"""

import re
import sys

from assistant.cli.opened_database import WRONG_USE, CommandError, opened_database
from assistant.store import Database
from assistant.store.retention import erase, find

FOUND, NOTHING = 0, 3
# A group of Telegram has a number below 0: as a user it would take other people's messages along.
USERS = {
    "feishu": (re.compile(r"ou_[A-Za-z0-9]+"), "the open_id of the person", "ou_1a2b3c4d5e6f"),
    "telegram": (re.compile(r"[1-9][0-9]*"), "the number of the person", "482910375"),
}


def run(channel: str, *, user: str, chat: str, delete: bool) -> int:
    """Print what was found or deleted; returns the exit status.

    Args:
        channel: feishu, telegram or web_chat.
        user: the platform's id of the person, or empty.
        chat: the platform's id of a chat, where ``user`` is empty.
        delete: whether to delete; otherwise nothing is changed.
    """
    if problem := _wrong(channel, user):
        print(f"forget: {problem}", file=sys.stderr)
        return WRONG_USE
    try:
        with opened_database("forget ...") as database:
            return _forget(database, channel, user, chat, delete=delete)
    except CommandError as error:
        print(f"forget: {error}", file=sys.stderr)
        return error.status


def _wrong(channel: str, user: str) -> str:
    if not user:
        return ""
    if channel not in USERS:
        return f"--user: {channel} does not know who writes; name the chat instead (--chat)"
    form, what, example = USERS[channel]
    if not form.fullmatch(user):
        return f"--user is '{user}'; on {channel} it is {what}; example: --user {example}"
    return ""


def _forget(database: Database, channel: str, user: str, chat: str, *, delete: bool) -> int:
    found = find(database, channel, user=user, chat=chat)
    what = (
        f"messages {len(found.ids)}, replies {found.replies}, conversations {found.conversations}, "
        f"being answered or sent at the moment {found.running}"
    )
    if not found.ids:
        print(f"nothing is kept of {user or chat} on {channel}")
        return NOTHING
    if not delete:
        print(f"found: {what}\nnothing was changed; to delete it, repeat the command with --yes")
        return FOUND
    erase(database, found.ids)
    print(f"deleted: {what}")
    return FOUND
