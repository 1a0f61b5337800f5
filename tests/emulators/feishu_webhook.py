"""The custom bots of the emulated Feishu platform: groups that are written to by a webhook address alone.

Source: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot (100 calls a minute and 5 a second
for each bot, error 11232; body at most 20 KB, error 9499; signature within an hour, 19021; addresses, 19022;
keywords, 19024). An unknown token is answered with 19001, as the public server does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from tests.emulators.limits import Window
from tests.emulators.record import Record, Sent

BODY_BYTES = 20 * 1024
SIGNATURE_SECONDS = 3600
_TEMPLATES = frozenset(
    (
        "blue",
        "wathet",
        "turquoise",
        "green",
        "yellow",
        "orange",
        "red",
        "carmine",
        "violet",
        "purple",
        "indigo",
    )
)


class HookError(Exception):
    """A refusal with its documented code; most are answered with HTTP 200."""

    def __init__(self, code: int, message: str, status: int = 200) -> None:
        """Make a refusal."""
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass
class Bot:
    """A custom bot's security settings; what is empty is not asked for."""

    secret: str = ""
    keyword: str = ""
    address: str = ""


class Hooks:
    """The bots that tests added, and their rates."""

    def __init__(
        self, record: Record, clock: Callable[[], float], second_rate: int = 5, minute_rate: int = 100
    ) -> None:
        """Start with no bot.

        Args:
            record: where messages go; ``chat`` is the bot's token.
            clock: gives the present time in seconds, for the rates.
            second_rate: calls of a bot in a second.
            minute_rate: calls of a bot in a minute.
        """
        self._record = record
        self._clock = clock
        self._limits = (second_rate, 1.0), (minute_rate, 60.0)
        self.bots: dict[str, Bot] = {}
        self.clear()

    def clear(self) -> None:
        """Forget the rates; the bots stay."""
        self._rates: dict[str, list[Window]] = defaultdict(
            lambda: [Window(calls, seconds, self._clock) for calls, seconds in self._limits]
        )

    def take(self, token: str, body: bytes, address: str) -> None:
        """Take a call.

        Raises:
            HookError: with the code that the platform would answer.
        """
        bot = self.bots.get(token)
        if bot is None:
            raise HookError(19001, "param invalid: incoming webhook access token invalid")
        if any(window.wait(token) for window in self._rates[token]):
            raise HookError(11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]")
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if len(body) > BODY_BYTES or not isinstance(document, dict):
            raise HookError(9499, "Bad Request", 400)
        if bot.address and bot.address != address:
            raise HookError(19022, "Ip Not Allowed")
        if bot.secret and not _signed(bot.secret, document):
            raise HookError(19021, "sign match fail or timestamp is not within one hour from current time")
        kind, text = _words(document)
        if bot.keyword and bot.keyword not in text:
            raise HookError(19024, "Key Words Not Found")
        sent = Sent(token, text, None, f"om_{uuid.uuid4().hex}", kind)
        if kind == "interactive":
            sent.buttons = [
                action["url"]
                for element in document["card"]["elements"]
                if element.get("tag") == "action"
                for action in element["actions"]
                if "url" in action
            ]
        self._record.add(sent)


def _signed(secret: str, document: Mapping[str, Any]) -> bool:
    timestamp, given = document.get("timestamp"), document.get("sign")
    if not isinstance(timestamp, str) or not timestamp.isdecimal() or not isinstance(given, str):
        return False
    key = f"{timestamp}\n{secret}".encode()
    wanted = base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest())
    return abs(time.time() - int(timestamp)) <= SIGNATURE_SECONDS and hmac.compare_digest(
        wanted, given.encode()
    )


def _words(document: Mapping[str, Any]) -> tuple[str, str]:
    kind = document.get("msg_type")
    try:
        if kind == "text":
            return kind, _text(document["content"]["text"])
        if kind == "interactive":
            return kind, _card(document["card"])
    except (KeyError, TypeError, AttributeError) as error:
        raise HookError(9499, "Bad Request", 400) from error
    raise HookError(9499, "Bad Request", 400)


def _card(card: Mapping[str, Any]) -> str:
    """Give the words of a card of the first structure (header, div and action), title first."""
    header = card["header"]
    if header.get("template", "blue") not in _TEMPLATES:
        raise HookError(9499, "Bad Request", 400)
    lines = [_text(header["title"]["content"])]
    for element in card["elements"]:
        if element["tag"] == "div":
            lines.append(_text(element["text"]["content"]))
        elif element["tag"] == "action":
            lines += [_text(action["text"]["content"]) for action in element["actions"]]
        else:
            raise HookError(9499, "Bad Request", 400)
    return "\n".join(lines)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise HookError(9499, "Bad Request", 400)
    return value


def add_hook_routes(app: Flask, hooks: Hooks) -> None:
    """Add the bots' address, and the page by which a test adds a bot."""

    @app.post("/open-apis/bot/v2/hook/<token>")
    def hook(token: str) -> ResponseReturnValue:
        hooks.take(token, request.get_data(), request.remote_addr or "")
        return jsonify(StatusCode=0, StatusMessage="success", code=0, data={}, msg="success")

    @app.post("/_hook")
    def add() -> ResponseReturnValue:
        document = request.get_json(force=True, silent=True)
        known = {"token", "secret", "keyword", "address"}
        if not isinstance(document, dict) or not document.get("token") or set(document) - known:
            return jsonify(error='the body must be {"token": "...", "secret", "keyword", "address"}'), 400
        token = document.pop("token")
        hooks.bots[token] = Bot(**document)
        return jsonify(status="ok")

    @app.errorhandler(HookError)
    def refuse(error: HookError) -> ResponseReturnValue:
        return jsonify(code=error.code, msg=str(error), data={}), error.status
