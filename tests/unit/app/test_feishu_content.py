"""What people send: text, rich text, topics, mentions, and what cannot be read."""

from typing import Any

import pytest

from assistant.channels.feishu.conversations import conversation
from assistant.channels.feishu.events import read_message
from assistant.messages import Incoming, Kind
from tests.emulators.feishu_client import FeishuUser, media, mention, message_event, rich_text

BOT = "ou_bot"
ALICE = mention("ou_alice", "Alice", 2)
ME = mention(BOT, "assistant", 1)


def read(text: str = "", *, group: bool = False, bot: str = BOT, **fields: Any) -> Incoming | None:
    user = FeishuUser("ou_1", "oc_1", "group" if group else "p2p")
    event = message_event(
        text, app_id="cli_1", verification_token="t", user=user, message_id="om_1", **fields
    )
    return read_message(event, bot)


def text_of(**fields: Any) -> str:
    found = read(**fields)
    assert found is not None
    return found.text


def test_mentions_of_others_keep_their_names() -> None:
    text = "@_user_1 ask @_user_2 about @_user_20"
    twenty = mention("ou_20", "Zoë", 20)
    assert text_of(text=text, group=True, mentions=[ME, ALICE, twenty]) == "ask @Alice about @Zoë"


def test_a_group_that_talks_among_itself_is_not_answered() -> None:
    assert read("hello", group=True) is None
    assert read("@_user_2 hello", group=True, mentions=[ALICE]) is None
    assert read(group=True, **media("image")) is None


def test_command_after_the_mention() -> None:
    found = read("@_user_1 /help", group=True, mentions=[ME])
    assert found is not None
    assert (found.kind, found.text) == (Kind.HELP, "/help")


def test_before_the_bot_knows_its_own_name() -> None:
    assert text_of(text="@_user_1 hi @_user_2", group=True, bot="", mentions=[ME, ALICE]) == "hi @Alice"


def test_rich_text() -> None:
    rows: list[list[dict[str, object]]] = [
        [{"tag": "at", "user_id": "@_user_1", "user_name": "assistant"}, {"tag": "text", "text": " see "}],
        [
            {"tag": "a", "href": "https://a.example", "text": "this page", "style": ["bold"]},
            {"tag": "text", "text": " and "},
            {"tag": "a", "href": "https://b.example", "text": "https://b.example"},
        ],
        [
            {"tag": "at", "user_id": "@_user_2", "user_name": "Alice"},
            {"tag": "emotion", "emoji_type": "SMILE"},
        ],
        [{"tag": "code_block", "language": "GO", "text": "func main() {\n\treturn\n}\n"}],
        [{"tag": "hr"}],
        [{"tag": "img", "image_key": "img_1"}],
    ]
    text = text_of(group=True, mentions=[ME, ALICE], **rich_text(rows, "A title"))
    assert text == (
        "A title\n see \n[this page](https://a.example) and https://b.example\n@Alice:SMILE:\n\n"
        "```go\nfunc main() {\n\treturn\n}\n```\n\n---\n[image]"
    )


def test_rich_text_wrapped_in_a_language() -> None:
    content = '{"zh_cn": {"title": "", "content": [[{"tag": "text", "text": "你好"}]]}}'
    assert text_of(message_type="post", content=content) == "你好"


@pytest.mark.parametrize(
    "fields",
    [
        *map(media, ("image", "file", "audio", "media", "sticker")),
        rich_text([[{"tag": "img", "image_key": "img_1"}], [{"tag": "media", "file_key": "f"}]]),
        rich_text([]),
        {"message_type": "post", "content": "[]"},
        {"message_type": "post", "content": '{"content": [1, [2, {"tag": 3}], null]}'},
        {"message_type": "share_chat", "content": '{"chat_id": "oc_2"}'},
        {"message_type": "text", "content": "[" * 100_000},
    ],
)
def test_what_cannot_be_read_is_answered_politely(fields: dict[str, Any]) -> None:
    found = read(**fields)
    assert found is not None
    assert (found.kind, found.text) == (Kind.UNSUPPORTED, "")


def test_what_the_chat_itself_says_is_not_answered() -> None:
    assert read(message_type="system", content='{"template": "{from_user} joined"}') is None


def test_a_topic_is_a_conversation_of_its_own() -> None:
    first = read("a", thread_id="omt_1")
    later = read("b", thread_id="omt_1", root_id="om_1", parent_id="om_1")
    other = read("c", thread_id="omt_2", root_id="om_9", parent_id="om_9")
    quoted = read("d", root_id="om_9", parent_id="om_9")
    assert first and later and other and quoted
    assert first.chat == later.chat == "oc_1/om_1"
    assert other.chat == "oc_1/om_9"
    assert quoted.chat == "oc_1"
    place = conversation(other.chat)
    assert (place.chat_id, place.root) == ("oc_1", "om_9")


def test_a_root_that_could_be_no_id_is_not_used() -> None:
    found = read("a", thread_id="omt_1", root_id="../x")
    assert found is not None
    assert found.chat == "oc_1/om_1"


@pytest.mark.parametrize(
    ("agent", "language"),
    [
        ("Mozilla/5.0 Chrome/101 Safari/537.36 Lark/6.7.5 LarkLocale/en_US ttnet", "en"),
        ("Lark/7 LarkLocale/zh_CN", "zh"),
        ("Lark/7 LarkLocale/ja_JP", ""),
        ("", ""),
    ],
)
def test_language_of_the_client(agent: str, language: str) -> None:
    found = read("a", user_agent=agent)
    assert found is not None
    assert found.language == language


@pytest.mark.parametrize("odd", [[], {}, ["text"], {"a": 1}, 1, 1.5, True, None])
@pytest.mark.parametrize(
    "field", ["message_type", "chat_type", "content", "mentions", "thread_id", "user_agent"]
)
def test_parts_of_wrong_types_do_no_harm(field: str, odd: object) -> None:
    event = message_event("hello", app_id="cli_a", verification_token="t", user=FeishuUser())
    event["event"]["message"][field] = odd
    read_message(event, "ou_bot")
    read_message(event, "")
