"""Telegram's webhook."""

import hmac
from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request

from assistant.channels.base import Intake
from assistant.channels.telegram.ratings import Click
from assistant.channels.telegram.updates import MalformedUpdateError, UnknownNameError, parse, read
from assistant.web.errors import Refused
from assistant.web.limits import json_object


def blueprint(
    intake: Intake,
    path: str,
    secret_token: str,
    bot_name: Callable[[], str],
    clicked: Callable[[Click], None],
) -> Blueprint:
    """Return the blueprint with POST ``path``.

    Args:
        intake: where messages go.
        path: the webhook's path.
        secret_token: what Telegram sends in X-Telegram-Bot-Api-Secret-Token
        (core.telegram.org/bots/api#setwebhook).
        bot_name: returns the bot's user name, or an empty text while it is unknown.
        clicked: takes clicks on buttons.
    """
    routes = Blueprint("telegram", __name__)

    @routes.post(path)
    def webhook() -> Response:
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not hmac.compare_digest(given.encode(), secret_token.encode()):
            raise Refused(401, "invalid_secret_token", "X-Telegram-Bot-Api-Secret-Token is missing or wrong")
        body, _ = json_object()
        try:
            found = read(parse(body), bot_name())
        except MalformedUpdateError:
            raise Refused(400, "malformed_update", "the body is not a Telegram update") from None
        except UnknownNameError:
            # Telegram repeats what was not answered with 2xx.
            raise Refused(503, "not_ready", "the bot's own name is not known yet; try again") from None
        if isinstance(found, Click):
            clicked(found)
        elif found is not None:
            intake.accept(found)
        return jsonify(ok=True)

    return routes
