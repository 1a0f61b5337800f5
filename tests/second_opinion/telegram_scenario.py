"""The methods of Telegram that an assistant calls, in one conversation by python-telegram-bot."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import telegram as api
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from tests.second_opinion.bot_api import problems

CHAT = 100200300
UNKNOWN_MESSAGE = 99999
TOO_LONG = "x" * 4097
WEBHOOK = "https://assistant.example.com/telegram/webhook"


@dataclass(frozen=True)
class Answer:
    """What came back: HTTP status, body, and the library's error ("" when it could read it)."""

    status: int
    body: dict[str, Any]
    error: str = ""


# What the Bot API documents of an answer: an object of a class, a list of them, True, or an error's code.
Documented = type[api.TelegramObject] | list[type[api.TelegramObject]] | bool | int
Call = Callable[[api.Bot, Mapping[str, Answer]], Awaitable[object]]


@dataclass(frozen=True)
class Step:
    """A call, and before it what the user does: ``message``, ``command``, ``callback``, or nothing."""

    documented: Documented
    call: Call
    user: str = ""


class _Recorder(HTTPXRequest):
    """Keeps the last answer as it came."""

    last: tuple[int, bytes] = (0, b"")

    async def do_request(self, *arguments: Any, **named: Any) -> tuple[int, bytes]:
        self.last = await super().do_request(*arguments, **named)
        return self.last


def _keyboard() -> api.InlineKeyboardMarkup:
    return api.InlineKeyboardMarkup([[api.InlineKeyboardButton("👍", callback_data="rate:1")]])


def _message_id(answers: Mapping[str, Answer]) -> int:
    return int(answers["sendMessage"].body["result"]["message_id"])


def _after(answers: Mapping[str, Answer], step: str) -> int:
    return 1 + max(int(update["update_id"]) for update in answers[step].body["result"])


STEPS: Mapping[str, Step] = {
    "getMe": Step(api.User, lambda bot, _: bot.get_me()),
    "deleteWebhook": Step(True, lambda bot, _: bot.delete_webhook()),
    "sendMessage": Step(api.Message, lambda bot, _: bot.send_message(CHAT, "你好 👋")),
    "sendMessage with reply and buttons": Step(
        api.Message,
        lambda bot, answers: bot.send_message(
            CHAT,
            "Was this helpful?",
            reply_parameters=api.ReplyParameters(_message_id(answers), allow_sending_without_reply=True),
            link_preview_options=api.LinkPreviewOptions(is_disabled=True),
            reply_markup=_keyboard(),
        ),
    ),
    "editMessageText": Step(
        api.Message, lambda bot, answers: bot.edit_message_text("你好! 👋", CHAT, _message_id(answers))
    ),
    "editMessageText of an unknown message": Step(
        400, lambda bot, _: bot.edit_message_text("x", CHAT, UNKNOWN_MESSAGE)
    ),
    "sendMessage without text": Step(400, lambda bot, _: bot.send_message(CHAT, "")),
    "sendMessage with 4097 characters": Step(400, lambda bot, _: bot.send_message(CHAT, TOO_LONG)),
    "sendChatAction": Step(True, lambda bot, _: bot.send_chat_action(CHAT, "typing")),
    "getUpdates": Step([api.Update], lambda bot, _: bot.get_updates(timeout=0), "message"),
    "getUpdates without confirming": Step([api.Update], lambda bot, _: bot.get_updates(timeout=0)),
    "getUpdates with a command": Step(
        [api.Update],
        lambda bot, answers: bot.get_updates(_after(answers, "getUpdates"), timeout=0),
        "command",
    ),
    "getUpdates with a pressed button": Step(
        [api.Update],
        lambda bot, answers: bot.get_updates(_after(answers, "getUpdates with a command"), timeout=0),
        "callback",
    ),
    "setWebhook": Step(True, lambda bot, _: bot.set_webhook(WEBHOOK, secret_token="secret-1")),
    "getWebhookInfo": Step(api.WebhookInfo, lambda bot, _: bot.get_webhook_info()),
    "getUpdates while a webhook is set": Step(409, lambda bot, _: bot.get_updates(timeout=0)),
    "an unknown method": Step(404, lambda bot, _: bot.do_api_request("no_such_method")),
}


async def play(base_url: str, token: str, user: Callable[[str], None]) -> dict[str, Answer]:
    """Go through all steps and return their answers.

    Args:
        base_url: the server's address.
        token: the bot's token.
        user: lets the user do what a step says.
    """
    recorder = _Recorder()
    answers: dict[str, Answer] = {}
    # Not "async with": entering it would call getMe, whose answer may be unreadable.
    bot = api.Bot(token, base_url=f"{base_url}/bot", request=recorder, get_updates_request=recorder)
    await recorder.initialize()
    try:
        for name, step in STEPS.items():
            if step.user:
                user(step.user)
            try:
                await step.call(bot, answers)
                error = ""
            except (TelegramError, TypeError, ValueError, AttributeError, KeyError) as raised:
                error = type(raised).__name__
            status, body = recorder.last
            answers[name] = Answer(status, json.loads(body), error)
    finally:
        await recorder.shutdown()
    return answers


def differences(documented: Documented, answer: Answer) -> set[str]:
    """Return how ``answer`` differs from what the Bot API documents, a text for each difference."""
    body = answer.body
    if documented is not True and isinstance(documented, int):
        if body.get("ok"):
            return {"accepted"}
        told = (answer.status, body.get("ok"), body.get("error_code"))
        described = isinstance(body.get("description"), str)
        return set() if told == (documented, False, documented) and described else {f"HTTP {answer.status}"}
    if not body.get("ok") or answer.status != 200:
        return {f"HTTP {answer.status}"}
    result = body.get("result")
    if documented is True:
        return set() if result is True else {f"result: {json.dumps(result)}"}
    if isinstance(documented, list):
        if not isinstance(result, list) or not result:
            return {"result: no update"}
        return {problem for each in result for problem in problems(documented[0], each)}
    assert isinstance(documented, type)
    return problems(documented, result)
