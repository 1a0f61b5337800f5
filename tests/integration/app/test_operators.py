"""Announcements to the operators: on both databases, and through the emulated platforms."""

import base64
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import func, select, text

from assistant.messages import Incoming
from assistant.operators import Operators, chats_of
from assistant.settings import Settings
from assistant.store import Database, Inbox, Outbox, Retention, migrate
from assistant.store.keyring import Keyring
from assistant.store.models import Conversation, OutboxRow
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import APP, until

GROUP, BOSS = "oc_operators", -1001234567890


def settings(**values: object) -> Settings:
    both = {"feishu_enabled": True, "telegram_enabled": True}
    return Settings(backend_url="http://127.0.0.1:9/v1", **{**both, **values})  # type: ignore[arg-type]  # pydantic judges it


@pytest.fixture
def database(any_database: str) -> Iterator[Database]:
    opened = Database(any_database, Keyring.parse(base64.b64encode(bytes(32)).decode()))
    migrate(opened)
    yield opened
    opened.close()


def deliveries(database: Database) -> list[tuple[str, str, str, str]]:
    outbox, found = Outbox(database, 60), []
    while (delivery := outbox.claim(["feishu", "telegram"])) is not None:
        found.append((delivery.platform, delivery.chat, delivery.reply_to, delivery.text))
        assert delivery.rateable == 0
        assert outbox.sent(delivery)
    return found


def test_each_chat_gets_one_message_in_both_languages(database: Database) -> None:
    operators = Operators(settings(operators_feishu_chat=GROUP, operators_telegram_chat=str(BOSS)), database)
    assert operators.announce("It began.", "已开始。") == 2
    told = "It began.\n\n已开始。"
    assert sorted(deliveries(database)) == [("feishu", GROUP, "", told), ("telegram", str(BOSS), "", told)]
    assert operators.announce("It began.", "已开始。") == 2
    assert len(deliveries(database)) == 2
    with database.read() as session:
        keys = session.execute(select(OutboxRow.idempotency_key)).scalars().all()
        stored = session.connection().exec_driver_sql("SELECT text FROM outbox").scalars().all()
    assert len(set(keys)) == 4
    assert not any("It began" in value for value in stored), "what is stored is encrypted, as replies are"


def test_a_key_is_announced_once_whoever_comes_first(database: Database, any_database: str) -> None:
    chosen = settings(operators_feishu_chat=GROUP)
    others = [Database(any_database, database.keyring) for _ in range(4)]
    told: list[int] = []

    def tell(other: Database) -> None:
        told.append(Operators(chosen, other).announce("Month 11", "11 月", key="evaluation-2026-11"))

    threads = [threading.Thread(target=tell, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for other in others:
        other.close()
    assert sorted(told) == [0, 0, 0, 1]
    assert len(deliveries(database)) == 1
    assert Operators(chosen, database).announce("Month 12", "12 月", key="evaluation-2026-12") == 1
    with pytest.raises(ValueError, match="more than 120"):
        Operators(chosen, database).announce("x", "x", key="k" * 121)


def test_an_announcement_is_nobodys_question(database: Database) -> None:
    inbox = Inbox(database, 60)
    Operators(settings(operators_feishu_chat=GROUP), database).announce("News", "新消息")
    assert inbox.claim() is None
    inbox.accept(Incoming("feishu", "m1", GROUP, "hello"))
    claim = inbox.claim()
    assert claim is not None
    assert claim.text == "hello"
    assert inbox.history(claim, 10) == []
    # The chat's order holds: what was announced before is sent before.
    inbox.finish(claim, "hi", push=True, remember=True)
    assert [told[3] for told in deliveries(database)] == ["News\n\n新消息", "hi"]
    with database.read() as session:
        assert session.execute(select(func.count()).select_from(Conversation)).scalar_one() == 1


def test_retention_deletes_what_was_announced_and_sent_only(database: Database) -> None:
    operators = Operators(settings(operators_feishu_chat=GROUP), database)
    operators.announce("sent", "已发送")
    assert len(deliveries(database)) == 1
    operators.announce("waits", "等待中")
    with database.write() as session:
        session.execute(text("UPDATE inbox SET received_at = received_at - 10 * 86400"))
    retention = Retention(database, 7)
    while not retention.delete_batch().last:
        pass
    assert [told[3] for told in deliveries(database)] == ["waits\n\n等待中"]
    with database.read() as session:
        assert session.execute(select(func.count()).select_from(OutboxRow)).scalar_one() == 1


def test_without_a_chat_the_administrators_are_told_and_without_those_the_log(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    admins = {"feishu_admins": "ou_b, ou_a", "telegram_admins": "482910375"}
    assert chats_of(settings(**admins)) == [
        ("feishu", "ou_a"), ("feishu", "ou_b"), ("telegram", "482910375"),
    ]  # fmt: skip
    assert chats_of(settings(**admins, operators_telegram_chat="7")) == [("telegram", "7")]
    assert chats_of(settings(**admins, feishu_enabled=False)) == [("telegram", "482910375")]
    assert Operators(settings(), database).announce("Nobody hears.", "无人收到。") == 0
    assert "assistant_operators_feishu_chat" in caplog.text
    assert deliveries(database) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("operators_feishu_chat", "oc_a,oc_b"),
        ("operators_feishu_chat", "operators"),
        ("operators_telegram_chat", "@operators"),
        ("operators_telegram_chat", "0"),
    ],
)
def test_a_wrong_chat_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="name one chat"):
        settings(**{name: value})


ANNOUNCE = (
    "import sys; from assistant.operators import Operators; from assistant.settings import load_settings;"
    "from assistant.store import Database; settings = load_settings();"
    "Operators(settings, Database(settings.database_url, settings.keyring)).announce(*sys.argv[1:])"
)


def test_another_process_tells_the_platforms_also_while_the_service_is_away(
    make_assistant: Maker, platforms: Platforms, new_postgres_database: Callable[[], str]
) -> None:
    platforms.reset()
    assistant = make_assistant(
        {
            **platforms.settings(),
            "ASSISTANT_OPERATORS_FEISHU_CHAT": "ou_0123456789",
            "ASSISTANT_OPERATORS_TELEGRAM_CHAT": "482910375",
        },
        new_postgres_database(),
    )

    def tell(english: str, chinese: str) -> None:
        subprocess.run(
            [sys.executable, "-c", ANNOUNCE, english, chinese], cwd=APP, env=assistant.environment, check=True
        )

    assistant.start()
    tell("The first step.", "第一步。")
    for base, chat in ((platforms.feishu, "ou_0123456789"), (platforms.telegram, 482910375)):
        (sent,) = platforms.wait_for(base, 1)
        assert (sent["chat"], sent["text"]) == (chat, "The first step.\n\n第一步。")
    assistant.kill()
    tell("The second step.", "第二步。")
    assistant.start()
    for base in (platforms.feishu, platforms.telegram):
        assert platforms.wait_for(base, 2)[1]["text"] == "The second step.\n\n第二步。"
    until("nothing waits", lambda: not assistant.rows("SELECT id FROM outbox WHERE state = 'pending'"))
    assert [len(platforms.sent(base)) for base in (platforms.feishu, platforms.telegram)] == [2, 2]
    assistant.stop()
