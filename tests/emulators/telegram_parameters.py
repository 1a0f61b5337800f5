"""Parameters of a Bot API call, which may arrive as JSON values or as texts, and the API's errors."""

from __future__ import annotations

import json
from collections.abc import Mapping


class TelegramError(Exception):
    """A refusal: ``code`` is the HTTP status and ``error_code``, ``retry_after`` the seconds to wait or 0.

    ``migrate_to`` is the id of the supergroup that a group has become, or 0.
    """

    def __init__(self, code: int, description: str, retry_after: int = 0, migrate_to: int = 0) -> None:
        """Make a refusal."""
        super().__init__(description)
        self.code = code
        self.retry_after = retry_after
        self.migrate_to = migrate_to


class Parameters:
    """Typed reading of the parameters of one call."""

    def __init__(self, values: Mapping[str, object]) -> None:
        """Take the parameters as they came."""
        self._values = values

    def text(self, name: str) -> str:
        """Give a parameter as text; empty when it is missing."""
        value = self._values.get(name)
        return "" if value is None else str(value)

    def number(self, name: str, default: int) -> int:
        """Give a whole number.

        Raises:
            TelegramError: 400 when it is none.
        """
        value = self._values.get(name)
        if value is None or value == "":
            return default
        try:
            return int(str(value))
        except ValueError as error:
            raise TelegramError(400, f'Bad Request: parameter "{name}" must be an integer') from error

    def flag(self, name: str) -> bool:
        """Give a truth value; False when it is missing."""
        return str(self._values.get(name, "")).lower() in ("true", "1")

    def value(self, name: str) -> object:
        """Give a parameter as it came; None when it is missing."""
        return self._values.get(name)

    def document(self, name: str, refusal: str) -> dict[str, object]:
        """Give an object, which may come as JSON text; empty when it is missing.

        Raises:
            TelegramError: 400 with ``refusal`` when it is no object.
        """
        value = self._decoded(name, refusal)
        if value in (None, ""):
            return {}
        if not isinstance(value, dict):
            raise TelegramError(400, refusal)
        return value

    def items(self, name: str, refusal: str) -> list[object]:
        """Give a list, which may come as JSON text; empty when it is missing.

        Raises:
            TelegramError: 400 with ``refusal`` when it is no list.
        """
        value = self._decoded(name, refusal)
        if value in (None, ""):
            return []
        if not isinstance(value, list):
            raise TelegramError(400, refusal)
        return value

    def _decoded(self, name: str, refusal: str) -> object:
        value = self._values.get(name)
        if isinstance(value, str) and value:
            try:
                return json.loads(value)
            except ValueError as error:
                raise TelegramError(400, refusal) from error
        return value

    def chat(self) -> int | str:
        """Give the chat.

        Returns:
            a number, or a name that begins with @.

        Raises:
            TelegramError: 400 when it is missing or of no valid form.
        """
        value = self.text("chat_id")
        if not value:
            raise TelegramError(400, "Bad Request: chat_id is empty")
        if value.startswith("@") and len(value) > 1:
            return value
        try:
            chat = int(value)
        except ValueError as error:
            raise TelegramError(400, "Bad Request: chat not found") from error
        if chat == 0:
            raise TelegramError(400, "Bad Request: chat not found")
        return chat

    def thread(self) -> int | None:
        """Give the topic's id, None if there is none."""
        return self.number("message_thread_id", 0) or None

    def reply_to(self) -> int | None:
        """Give the id of the message that is answered, None if none is.

        Raises:
            TelegramError: 400 when ``reply_parameters`` cannot be read or names no message.
        """
        document = self.document("reply_parameters", "Bad Request: can't parse reply parameters JSON object")
        if document:
            message_id = document.get("message_id")
            if not isinstance(message_id, int):
                raise TelegramError(400, "Bad Request: object expected as reply parameters")
            return _existing(message_id)
        number = self.number("reply_to_message_id", 0)
        return _existing(number) if number else None


def _existing(message_id: int) -> int:
    if message_id <= 0:
        raise TelegramError(400, "Bad Request: message to be replied not found")
    return message_id
