"""Where telegram-test-api 4.2.1 and the emulator differ, with the Bot API's documentation as the arbiter."""

from __future__ import annotations

from dataclasses import dataclass

FAULTS_TITLE = "| call | telegram-test-api | documented, and what the emulator does |"


@dataclass(frozen=True)
class Fault:
    """One thing that telegram-test-api does not do as the Bot API documents it, while the emulator does."""

    step: str
    difference: str
    documented: str

    def row(self) -> str:
        """Return the row of README.md's table."""
        return f"| {self.step} | `{self.difference}` | {self.documented} |"


_MESSAGE = "[Message](https://core.telegram.org/bots/api#message)"
_USER = "[User](https://core.telegram.org/bots/api#user)"
_EDIT = "[editMessageText](https://core.telegram.org/bots/api#editmessagetext)"
_SEND = "[sendMessage](https://core.telegram.org/bots/api#sendmessage)"
_UPDATES = "[getUpdates](https://core.telegram.org/bots/api#getupdates)"
_QUERY = "[CallbackQuery](https://core.telegram.org/bots/api#callbackquery)"
_REQUESTS = "[Making requests](https://core.telegram.org/bots/api#making-requests)"
_SECONDS = f"{_MESSAGE}: `date` in seconds"
_NO_CHAT_ID = f"{_MESSAGE}: the chat is in `chat`, a parameter is not repeated"
_PLAIN = "sendMessage"
_BUTTONS = "sendMessage with reply and buttons"
_PRESSED = "getUpdates with a pressed button"

WEBHOOK_STEP = "an update to a webhook"

FAULTS: tuple[Fault, ...] = (
    Fault("getMe", "is_bot: missing", f"{_USER}: always there"),
    Fault(_PLAIN, "date: milliseconds", _SECONDS),
    Fault(_PLAIN, "chat_id: unknown", _NO_CHAT_ID),
    Fault(_BUTTONS, "date: milliseconds", _SECONDS),
    Fault(_BUTTONS, "chat_id: unknown", _NO_CHAT_ID),
    Fault(_BUTTONS, "reply_parameters: unknown", f"{_MESSAGE}: the answered one is `reply_to_message`"),
    Fault(_BUTTONS, "link_preview_options: text, not an object", f"{_MESSAGE}: an object"),
    Fault("editMessageText", "result: null, not an object", f"{_EDIT}: the edited message"),
    Fault("editMessageText of an unknown message", "accepted", f"{_EDIT}: error 400"),
    Fault("sendMessage without text", "accepted", f"{_SEND}: 1 to 4096 characters, else error 400"),
    Fault("sendMessage with 4097 characters", "accepted", f"{_SEND}: 1 to 4096 characters, else error 400"),
    Fault(
        "sendChatAction", "HTTP 500", "[sendChatAction](https://core.telegram.org/bots/api#sendchataction)"
    ),
    Fault("getUpdates", "message.botToken: unknown", f"{_MESSAGE}: the token is not in it"),
    Fault(
        "getUpdates without confirming",
        "result: no update",
        f"{_UPDATES}: an update is kept until a higher `offset` confirms it",
    ),
    Fault("getUpdates with a command", "message.botToken: unknown", f"{_MESSAGE}: the token is not in it"),
    Fault(_PRESSED, "callback_query.chat_instance: missing", f"{_QUERY}: always there"),
    Fault(_PRESSED, "callback_query.message.message_id: missing", f"{_MESSAGE}: always there"),
    Fault(_PRESSED, "callback_query.message.date: missing", f"{_MESSAGE}: always there, 0 if inaccessible"),
    Fault("setWebhook", "result: null", "[setWebhook](https://core.telegram.org/bots/api#setwebhook): True"),
    Fault(
        "getWebhookInfo", "HTTP 500", "[getWebhookInfo](https://core.telegram.org/bots/api#getwebhookinfo)"
    ),
    Fault("getUpdates while a webhook is set", "accepted", f"{_UPDATES}: does not work then (error 409)"),
    Fault(
        WEBHOOK_STEP,
        "no X-Telegram-Bot-Api-Secret-Token",
        "[setWebhook](https://core.telegram.org/bots/api#setwebhook): a header of every request",
    ),
    Fault("an unknown method", "HTTP 500", f"{_REQUESTS}: `ok` false, `error_code` 404 and a `description`"),
)

# Documented optional fields that telegram-test-api gives and the emulator leaves out, and why it may.
LEFT_OUT: dict[str, str] = {
    "description": "optional beside a result",
    "chat.first_name": "optional; the assistant reads no names",
    "chat.title": "for groups; telegram-test-api gives it to private chats too",
    "chat.username": "optional; the assistant reads no names",
    "from.username": "optional; the assistant reads no names",
    "entities": "in commands the assistant reads the text itself",
    "reply_markup": "the assistant does not read its own buttons",
}
