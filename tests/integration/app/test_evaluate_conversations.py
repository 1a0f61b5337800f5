"""Evaluations over what people asked: only with consent, masked, and without a copy of a word."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from assistant.evaluation.sample import shares
from assistant.messages import Incoming, Kind
from assistant.store import Database, Inbox, migrate
from assistant.store.models import DONE, REPLY, HistoryRow, InboxRow, OutboxRow
from assistant.store.retention import DAY, erase, find
from tests.emulators.model_server import ModelServer, make_model_app
from tests.emulators.server import Server
from tests.integration.app.test_evaluate import Desk

PHONE = "13800138000"


class Archive:
    """A database in which people have asked."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/assistant.db"
        self.database = Database(self.url)
        migrate(self.database)
        self.inbox = Inbox(self.database, 15.0)
        self.count = 0

    def ask(self, text: str, *, chat: str = "", days: float = 1, **more: Any) -> int:
        """Store a message as it is after its answer; returns its number."""
        self.count += 1
        state, kind = more.pop("state", DONE), more.pop("kind", Kind.CHAT)
        platform, sender = more.pop("platform", "telegram"), more.pop("sender", "7")
        message = Incoming(
            platform, f"m{self.count}", chat or f"c{self.count}", text, kind=kind, sender=sender
        )
        number = self.inbox.accept(message)
        assert number is not None
        with self.database.write() as session:
            row = session.get_one(InboxRow, number)
            row.state, row.received_at = state, row.received_at - days * DAY
            common = {
                "inbox_id": number,
                "conversation_id": row.conversation_id,
                "created_at": row.received_at,
            }
            session.add(HistoryRow(role="user", content=text, **common))
            session.add(
                OutboxRow(
                    platform=platform,
                    chat=message.chat,
                    reply_to="",
                    text="an answer",
                    detail={},
                    idempotency_key=f"k{number}",
                    purpose=REPLY,
                    state=DONE,
                    available_at=row.received_at,
                    **common,
                )
            )
        return number

    def texts(self, platform: str) -> list[str]:
        with self.database.read() as session:
            return list(session.execute(select(InboxRow.text).where(InboxRow.platform == platform)).scalars())


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path)
    for n in range(12):
        made.ask(f"How do I replace part number {n} of the machine?")
        made.ask(f"第 {n} 号零件怎么换？", platform="feishu", sender="ou_a")
    yield made
    made.database.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    server = ModelServer()
    with Server(make_model_app(server), "127.0.0.1", 0) as running:
        desk = Desk(tmp_path, running.url, server)
        server.answer = lambda body: ["A good answer"]
        yield desk


def do(desk: Desk, archive: Archive, *arguments: object, **changes: str) -> tuple[int, str, str]:
    secrets = desk.folder / "secrets"
    secrets.mkdir(exist_ok=True)
    environment = {
        "ASSISTANT_DATABASE_URL": archive.url,
        "ASSISTANT_SECRETS_DIR": str(secrets),
        "ASSISTANT_BACKEND_URL": desk.url,
        "ASSISTANT_API_ENABLED": "false",
        "ASSISTANT_WEB_CHAT_ACCESS": "open",
        "ASSISTANT_EVALUATION_USES_CONVERSATIONS": "true",
        **changes,
    }
    return desk.do(*arguments, **environment)


def collect(desk: Desk, archive: Archive, name: str, *more: object, **changes: str) -> tuple[int, str, str]:
    given = ("collect", "--questions", desk.few, "--out", desk.folder / name)
    return do(desk, archive, *given, *more, **changes)


def ask(desk: Desk, archive: Archive, *more: object, **changes: str) -> tuple[int, str, str]:
    _, *run = desk.run("results.jsonl")
    given = ("run-conversations", "--sample", desk.folder / "sample", *run[2:])
    return do(desk, archive, *given, *more, **changes)


def test_nothing_is_read_without_consent(desk: Desk, archive: Archive) -> None:
    assert collect(desk, archive, "sample")[0] == 0
    for value in ("", "false"):
        off = {"ASSISTANT_EVALUATION_USES_CONVERSATIONS": value}
        for status, out, err in (collect(desk, archive, "other", **off), ask(desk, archive, **off)):
            assert (status, out) == (1, "")
            assert "assistant_evaluation_uses_conversations: true" in err
    assert not (desk.folder / "other").exists()
    assert desk.server.asked == []


def test_a_sample_has_what_may_be_asked_again_and_not_a_word_of_it(desk: Desk, archive: Archive) -> None:
    kept = archive.ask(f"my number is {PHONE}, who calls me back", chat="talk", days=3)
    for text, more in (
        ("and a question after it", {"chat": "talk", "days": 2.9}),
        ("an old question", {"days": 31}),
        ("a program's question", {"platform": "api", "sender": ""}),
        ("a question that waits", {"state": "pending"}),
        ("/help", {"kind": Kind.HELP}),
        ("HOW do I replace part number 3 of the machine", {}),
        ("my number is 13900139000 - who calls me back?", {}),
    ):
        archive.ask(text, **more)
    status, out, err = collect(desk, archive, "sample")
    assert status == 0, err
    assert out.startswith("25 questions of 30 days")
    path = desk.folder / "sample"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text(encoding="utf-8")
    assert not [word for word in ("machine", "零件", PHONE, "phone", "ou_a") if word in text]
    sample = json.loads(text)
    assert kept in [item["number"] for item in sample["items"]]
    assert {(i["channel"], i["language"]) for i in sample["items"]} == {("telegram", "en"), ("feishu", "zh")}
    # The same again is the same; a frozen one is not replaced.
    assert collect(desk, archive, "again")[0] == 0
    assert json.loads((desk.folder / "again").read_text())["sha256"] == sample["sha256"]
    status, _, err = collect(desk, archive, "sample")
    assert status == 1 and "not replaced" in err
    assert path.read_text(encoding="utf-8") == text


def test_a_sample_is_not_older_than_what_may_be_kept(desk: Desk, archive: Archive) -> None:
    archive.ask("something of last week", days=8)
    assert collect(desk, archive, "a", ASSISTANT_RETENTION_DAYS="7")[1].startswith("24 questions of 7 days")
    status, _, err = collect(desk, archive, "b", "--most", 10)
    assert status == 0, err
    channels = [i["channel"] for i in json.loads((desk.folder / "b").read_text())["items"]]
    assert (channels.count("telegram"), channels.count("feishu")) == (5, 5)


def test_too_few_questions_are_no_sample(desk: Desk, archive: Archive) -> None:
    erase(archive.database, find(archive.database, "feishu", user="ou_a").ids)
    status, _, err = collect(desk, archive, "sample")
    assert status == 1 and "12 different questions" in err


def test_what_is_asked_is_masked_and_what_is_kept_has_no_word_of_it(desk: Desk, archive: Archive) -> None:
    archive.ask(f"my number is {PHONE}, who calls me back")
    assert collect(desk, archive, "sample")[0] == 0

    def answer(body: dict[str, Any]) -> list[str]:
        # As the assistant itself does when it is asked by its API.
        archive.ask(body["messages"][-1]["content"], platform="api", sender="", days=0)
        return ["A secretive answer"]

    desk.server.answer = answer
    archive.ask("somebody else's call", platform="api", sender="", days=0)
    status, out, err = ask(desk, archive)
    assert status == 0, err
    said = [body["messages"][-1]["content"] for body in desk.server.asked]
    assert "my number is [phone], who calls me back" in said
    assert PHONE not in "".join(said)
    found = json.loads(out)
    assert (found["questions"], found["answered"], found["erased"]) == (25, 25, 0)
    assert found["well_formed"]["good"] == 13
    assert found["broken_rules"] == {"language": 12}
    assert found["well_formed_by_channel"]["feishu"]["good"] == 0
    kept = (desk.folder / "results.jsonl").read_text(encoding="utf-8")
    assert not [word for word in ("secretive", "machine", "零件", "[phone]") if word in kept + out]
    assert {text for text in archive.texts("api") if text} == {"somebody else's call"}


def test_who_was_forgotten_is_not_asked_about_again(desk: Desk, archive: Archive) -> None:
    gone = archive.ask("a very private question of mine", sender="8")
    assert collect(desk, archive, "sample")[0] == 0
    erase(archive.database, [gone])
    status, out, err = ask(desk, archive)
    assert status == 0, err
    assert json.loads(out)["erased"] == 1 and json.loads(out)["answered"] == 24
    assert "private" not in json.dumps(desk.server.asked)


def test_texts_that_are_not_those_that_were_frozen_are_refused(desk: Desk, archive: Archive) -> None:
    changed = archive.ask("the first words")
    assert collect(desk, archive, "sample")[0] == 0
    with archive.database.write() as session:
        session.get_one(InboxRow, changed).text = "other words"
    status, _, err = ask(desk, archive)
    assert status == 1 and "have other texts" in err
    assert desk.server.asked == []
    (desk.folder / "sample").write_text("{}")
    status, _, err = ask(desk, archive)
    assert status == 1 and "evaluate collect makes one" in err


def test_two_models_are_compared_in_pairs(desk: Desk, archive: Archive) -> None:
    assert collect(desk, archive, "sample")[0] == 0
    desk.server.answer = lambda body: ["Only English"]
    assert ask(desk, archive)[0] == 0
    (desk.folder / "results.jsonl").rename(desk.folder / "base.jsonl")
    desk.server.answer = lambda body: ["只有中文"]
    status, out, err = ask(desk, archive, "--base", desk.folder / "base.jsonl")
    assert status == 0, err
    difference = json.loads(out)["difference"]
    assert (difference["pairs"], difference["value"]) == (24, 0.0)
    assert difference["low"] < 0 < difference["high"]


def test_strata_are_taken_in_proportion() -> None:
    sizes = {("a", "en", "k"): 60, ("a", "zh", "k"): 30, ("b", "en", "k"): 10}
    assert list(shares(sizes, 10).values()) == [6, 3, 1]
    assert list(shares(sizes, 3).values()) == [2, 1, 0]
    assert shares(sizes, 1000) == sizes
