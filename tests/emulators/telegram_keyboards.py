"""Inline keyboards, clicks on them, and the bot's menu of commands.

Sources: https://core.telegram.org/bots/api#inlinekeyboardmarkup, #callbackquery, #answercallbackquery,
#setmycommands.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from dataclasses import asdict, dataclass

from tests.emulators.telegram_parameters import Parameters, TelegramError

DATA_BYTES = 64
ANSWER_CHARACTERS = 200
COMMANDS = 100
_COMMAND = re.compile(r"/?[a-z0-9_]{1,32}")
_LANGUAGE = re.compile(r"([a-z]{2})?")
_OTHER_BUTTONS = (
    "url",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "pay",
)

Keyboard = list[list[dict[str, object]]]


def keyboard_of(parameters: Parameters) -> Keyboard | None:
    """Read ``reply_markup``: its inline keyboard, None if there is none.

    Raises:
        TelegramError: 400 for a keyboard that the API refuses.
    """
    markup = parameters.document("reply_markup", "Bad Request: object expected as reply markup")
    if not markup:
        return None
    rows = markup.get("inline_keyboard")
    if rows is None:
        return None  # another kind of markup, which belongs to no message
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise TelegramError(400, 'Bad Request: field "inline_keyboard" must be an Array of Arrays')
    for button in itertools.chain.from_iterable(rows):
        _check_button(button)
    return [row for row in rows if row] or None


def _check_button(button: object) -> None:
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise TelegramError(400, "Bad Request: can't parse inline keyboard button: Can't find field \"text\"")
    data = button.get("callback_data")
    if data is None and not any(name in button for name in _OTHER_BUTTONS):
        raise TelegramError(
            400,
            "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline"
            " keyboard",
        )
    if data is not None and not 1 <= len(str(data).encode()) <= DATA_BYTES:
        raise TelegramError(400, "Bad Request: BUTTON_DATA_INVALID")


@dataclass
class Query:
    """A click: ``answer`` is None until it is answered, then the text that the person saw, perhaps empty."""

    id: str
    chat: int | str
    message_id: int | str
    data: str
    answer: str | None = None


class Clicks:
    """Clicks on buttons that wait for their answer, and those that were answered."""

    def __init__(self) -> None:
        """Start without any."""
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget all clicks."""
        with self._lock:
            self._queries: dict[str, Query] = {}
            self._numbers = itertools.count(int(time.time() * 1000))

    def add(self, chat: int | str, message_id: int | str, data: str) -> str:
        """Note a click; returns its id."""
        with self._lock:
            query = Query(str(next(self._numbers)), chat, message_id, data)
            self._queries[query.id] = query
            return query.id

    def answer(self, parameters: Parameters) -> bool:
        """Take ``answerCallbackQuery``.

        Raises:
            TelegramError: 400 for an unknown click, one that was answered, or a text that is too long.
        """
        text = parameters.text("text")
        if len(text) > ANSWER_CHARACTERS:
            raise TelegramError(400, "Bad Request: MESSAGE_TOO_LONG")
        with self._lock:
            query = self._queries.get(parameters.text("callback_query_id"))
            if query is None or query.answer is not None:
                raise TelegramError(
                    400, "Bad Request: query is too old and response timeout expired or query ID is invalid"
                )
            query.answer = text
        return True

    def as_json(self) -> list[dict[str, object]]:
        """Give all clicks as JSON objects."""
        with self._lock:
            return [asdict(query) for query in self._queries.values()]


class Menu:
    """The bot's commands by scope and language."""

    def __init__(self) -> None:
        """Start without commands."""
        self.reset()

    def reset(self) -> None:
        """Forget all commands."""
        self._commands: dict[tuple[str, str], list[dict[str, str]]] = {}

    def set(self, parameters: Parameters) -> bool:
        """Take ``setMyCommands``.

        Raises:
            TelegramError: 400 for commands, a scope or a language that the API refuses.
        """
        items = parameters.items("commands", "Bad Request: can't parse commands: expected an Array")
        if len(items) > COMMANDS:
            raise TelegramError(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
        commands = []
        for item in items:
            if not isinstance(item, dict):
                raise TelegramError(400, "Bad Request: expected an Object as BotCommand")
            command, description = str(item.get("command", "")), str(item.get("description", "")).strip()
            if not _COMMAND.fullmatch(command):
                raise TelegramError(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(description) <= 256:
                raise TelegramError(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
            commands.append({"command": command.removeprefix("/"), "description": description})
        self._commands[_key(parameters)] = commands
        return True

    def get(self, parameters: Parameters) -> list[dict[str, str]]:
        """Take ``getMyCommands``."""
        return self._commands.get(_key(parameters), [])

    def delete(self, parameters: Parameters) -> bool:
        """Take ``deleteMyCommands``."""
        self._commands.pop(_key(parameters), None)
        return True


def _key(parameters: Parameters) -> tuple[str, str]:
    language = parameters.text("language_code")
    if not _LANGUAGE.fullmatch(language):
        raise TelegramError(400, "Bad Request: invalid language code specified")
    scope = parameters.document("scope", "Bad Request: can't parse BotCommandScope") or {"type": "default"}
    return json.dumps(scope, sort_keys=True), language
