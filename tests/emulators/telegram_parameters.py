"""Parameters of a Bot API call, which may arrive as JSON values or as texts, and the API's errors."""

from __future__ import annotations

import json
from collections.abc import Mapping


class TelegramError(Exception):
    """A refusal: ``code`` is the HTTP status and ``error_code``, ``retry_after`` the seconds to wait or 0."""

    def __init__(self, code: int, description: str, retry_after: int = 0) -> None:
        """Make a refusal."""
        super().__init__(description)
        self.code = code
        self.retry_after = retry_after


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

    def reply_to(self) -> int | None:
        """Give the id of the message that is answered, None if none is.

        Raises:
            TelegramError: 400 when ``reply_parameters`` cannot be read or names no message.
        """
        document = self._values.get("reply_parameters")
        if isinstance(document, str) and document:
            try:
                document = json.loads(document)
            except ValueError as error:
                raise TelegramError(400, "Bad Request: can't parse reply parameters JSON object") from error
        if document:
            if not isinstance(document, Mapping) or not isinstance(document.get("message_id"), int):
                raise TelegramError(400, "Bad Request: object expected as reply parameters")
            return _existing(int(document["message_id"]))
        number = self.number("reply_to_message_id", 0)
        return _existing(number) if number else None


def _existing(message_id: int) -> int:
    if message_id <= 0:
        raise TelegramError(400, "Bad Request: message to be replied not found")
    return message_id
