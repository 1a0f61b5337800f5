"""What ``make hostile`` has found, kept as examples: right JSON of a wrong shape."""

from typing import Any

import pytest

from assistant.channels.api.requests import InvalidRequestError, read_request
from assistant.channels.telegram.updates import MalformedUpdateError, parse, read
from assistant.messages import Incoming
from tests.emulators.telegram_client import TelegramUser, message_update


def update(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = message_update("hello", user=TelegramUser())
    for place, value in changes.items():
        *holders, key = place.split("__")
        holder = found
        for name in holders:
            holder = holder[name]
        holder[key] = value
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {"message__text": ["hello"]},
        {"message__text": 5},
        {"message__from__is_bot": "no"},
        {"message__from__id": "5"},
        {"message__from": []},
        {"message__chat": None},
        {"message__chat__type": ["private"]},
        {"message__chat__id": 10**30},
        {"message__message_id": {}},
        {"message__date": "now"},
        {"message__entities": [{"type": "mention", "offset": "0", "length": 1}]},
        {"message__reply_to_message": {"from": {"id": 5}}},
        {"update_id": 10**400},
        {"update_id": True},
    ],
)
def test_an_update_of_a_wrong_shape_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedUpdateError):
        parse(update(**changes))


def test_what_is_not_read_may_be_anything() -> None:
    found = update(message__something_new=[{}], another_kind={"text": 5})
    message = read(parse(found), "bot")
    assert isinstance(message, Incoming)
    assert message.text == "hello"


@pytest.mark.parametrize("role", [[], {}, None, 5, "tool"])
def test_a_role_of_any_type_is_judged(role: Any) -> None:
    with pytest.raises(InvalidRequestError, match="role must be one of"):
        read_request({"messages": [{"role": role, "content": "x"}]})
