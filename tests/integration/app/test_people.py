"""Rules, commands, ratings, notices and edited messages on both databases."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text, update

from assistant.admission import Admission, Rules
from assistant.commands import Commands
from assistant.messages import Incoming, Kind
from assistant.store import Claim, Database, Inbox, Outbox, migrate
from assistant.store.models import InboxRow
from assistant.store.notices import QUIET_SECONDS, Notices
from assistant.store.people import People
from assistant.store.ratings import Ratings
from assistant.store.retention import erase, find
from assistant.store.switches import MAINTENANCE, Switches
from assistant.texts import (
    ADMINS_ONLY,
    FEEDBACK_USAGE,
    IN_MAINTENANCE,
    LANGUAGE_SET,
    LANGUAGE_USAGE,
    NOT_ALLOWED,
    RESET,
    TOO_FAST,
    TOO_MANY,
    kind_of,
    language_of,
)


class Hall:
    """A database with the parts that decide about people."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.inbox, self.outbox = Inbox(database, 60), Outbox(database, 60)
        self.people, self.ratings = People(database), Ratings(database)
        self.notices, self.switches = Notices(database), Switches(database)
        self.number = 0

    def accept(self, words: str, *, chat: str = "c", sender: str = "ou_a", edits: str = "") -> int | None:
        self.number += 1
        message = Incoming(
            "feishu", f"m{self.number}", chat, words, kind=kind_of(words), sender=sender, edits=edits
        )
        return self.inbox.accept(message)

    def claim(self) -> Claim:
        claim = self.inbox.claim()
        assert claim is not None
        return claim

    def claimed(self, words: str, **more: str) -> Claim:
        self.accept(words, **more)
        return self.claim()

    def answer(self, claim: Claim, words: str = "reply") -> None:
        self.inbox.finish(claim, words, push=True, remember=True, detail={"rateable": True})

    def admission(self, **rules: object) -> Admission:
        return Admission(Rules(**rules), self.people, self.switches)  # type: ignore[arg-type]  # a test's shorthand

    def commands(self, admission: Admission | None = None) -> Commands:
        return Commands(
            admission or self.admission(),
            self.people,
            self.ratings,
            self.outbox,
            platforms=lambda: ["feishu"],
            model="tiny",
            ready=lambda: True,
        )


@pytest.fixture
def hall(any_database: str) -> Iterator[Hall]:
    database = Database(any_database)
    migrate(database)
    yield Hall(database)
    database.close()


def test_reset_begins_anew_and_forgets_nothing_later(hall: Hall) -> None:
    hall.answer(hall.claimed("first"))
    claim = hall.claimed("/reset")
    assert hall.commands().answer(claim, "en") == RESET("en")
    hall.inbox.finish(claim, "x", push=True, remember=False)
    claim = hall.claimed("second")
    assert hall.inbox.history(claim, 10) == []
    hall.answer(claim)
    assert [t.content for t in hall.inbox.history(hall.claimed("third"), 10)] == ["second", "reply"]


def test_old_turns_leave_the_context(hall: Hall) -> None:
    hall.answer(hall.claimed("first"))
    with hall.database.write() as session:
        session.execute(text("UPDATE messages SET created_at = created_at - 7200"))
    hall.answer(hall.claimed("second"))
    claim = hall.claimed("third")
    assert [t.content for t in hall.inbox.history(claim, 10, 3600)] == ["second", "reply"]
    assert len(hall.inbox.history(claim, 10)) == 4


def test_language_is_chosen_for_the_conversation(hall: Hall) -> None:
    commands = hall.commands()
    claim = hall.claimed("/language 中文")
    assert commands.answer(claim, "") == LANGUAGE_SET("zh")
    hall.answer(claim)
    claim = hall.claimed("hello")
    assert (claim.language, language_of(claim.text, claim.language)) == ("zh", "zh")
    hall.answer(claim)
    claim = hall.claimed("/language klingon")
    assert commands.answer(claim, "en") == LANGUAGE_USAGE("en")
    hall.answer(claim)
    claim = hall.claimed("/language auto")
    commands.answer(claim, "en")
    hall.answer(claim)
    assert hall.claimed("x").language == ""


def test_feedback_is_kept_for_the_operators(hall: Hall) -> None:
    commands = hall.commands()
    claim = hall.claimed("/feedback")
    assert commands.answer(claim, "zh") == FEEDBACK_USAGE("zh")
    hall.answer(claim)
    claim = hall.claimed("/feedback 回答太长了。\nReally.")
    commands.answer(claim, "zh")
    commands.answer(claim, "zh")
    assert [(p, t) for _, p, t in hall.ratings.feedback(60)] == [("feishu", "回答太长了。\nReally.")]


def test_status_is_for_administrators(hall: Hall) -> None:
    admission = hall.admission(admins={"feishu": {"ou_boss"}})
    claim = hall.claimed("/status")
    assert hall.commands(admission).answer(claim, "en") == ADMINS_ONLY("en")
    hall.answer(claim)
    said = hall.commands(admission).answer(hall.claimed("/status", sender="ou_boss"), "en")
    assert "Model tiny: ready" in said
    assert "Maintenance: off" in said


def test_allowed_people_and_chats(hall: Hall) -> None:
    admission = hall.admission(allowed={"feishu": {"ou_a", "oc_team"}}, admins={"feishu": {"ou_boss"}})
    for sender, chat, refused in (
        ("ou_a", "c1", ""),
        ("ou_b", "c2", NOT_ALLOWED("zh", sender="ou_b")),
        ("ou_b", "oc_team", ""),
        ("ou_b", "oc_team/topic", ""),
        ("ou_boss", "c3", ""),
        ("", "c4", NOT_ALLOWED("zh", sender="c4")),
    ):
        assert admission.refusal(hall.claimed("你好", chat=chat, sender=sender), "zh") == refused
    assert hall.admission().refusal(hall.claimed("x", chat="c5"), "en") == ""


def test_limits_count_what_was_answered_for_the_person_alone(hall: Hall) -> None:
    admission = hall.admission(messages_per_minute=2, messages_per_day=3, admins={"feishu": {"ou_boss"}})

    def ask(sender: str = "ou_a") -> str:
        claim = hall.claimed("q", sender=sender)
        refusal = admission.refusal(claim, "en")
        kind = Kind.REFUSED if refusal else None
        hall.inbox.finish(claim, "x", push=True, remember=False, kind=kind)
        return refusal

    assert [ask(), ask()] == ["", ""]
    assert [ask(), ask()] == [TOO_FAST("en", limit=2)] * 2
    assert ask("ou_b") == ""
    with hall.database.write() as session:
        session.execute(update(InboxRow).values(received_at=InboxRow.received_at - 120))
    assert ask() == ""
    assert ask() == TOO_MANY("en", limit=3)
    assert {ask("ou_boss") for _ in range(5)} == {""}
    with hall.database.write() as session:
        session.execute(update(InboxRow).values(received_at=InboxRow.received_at - 90000))
    assert ask() == ""


def test_maintenance_refuses_questions_and_answers_commands(hall: Hall) -> None:
    hall.switches.turn(MAINTENANCE, on=True)
    hall.switches.turn(MAINTENANCE, on=True)
    admission = hall.admission(admins={"feishu": {"ou_boss"}})
    assert admission.refusal(hall.claimed("q", chat="c1"), "en") == IN_MAINTENANCE("en")
    assert admission.refusal(hall.claimed("/help", chat="c2"), "en") == ""
    assert admission.refusal(hall.claimed("q", chat="c3", sender="ou_boss"), "en") == ""
    hall.switches.turn(MAINTENANCE, on=False)
    assert hall.admission().refusal(hall.claimed("q", chat="c4"), "en") == ""


def test_edited_text_takes_the_place_of_one_that_waits(hall: Hall) -> None:
    hall.accept("first")
    hall.accept("secnd")
    assert hall.accept("second", edits="m2") is None
    assert hall.accept("second", edits="m2") is None, "the same edit twice, under another number"
    claim = hall.claim()
    assert claim.text == "first"
    assert hall.accept("first, but being answered", edits="m1") is not None
    hall.answer(claim)
    claim = hall.claim()
    assert claim.text == "second"
    hall.answer(claim)
    claim = hall.claim()
    assert claim.text == "first, but being answered"
    hall.answer(claim)
    assert hall.inbox.claim() is None


def test_rating_counts_in_the_answers_own_chat(hall: Hall) -> None:
    claim = hall.claimed("q")
    assert not hall.ratings.rate("feishu", "c", claim.inbox_id, 1, "ou_a"), "not answered yet"
    hall.answer(claim)
    rate = hall.ratings.rate
    assert rate("feishu", "c", claim.inbox_id, 1, "ou_a")
    assert rate("feishu", "c", claim.inbox_id, -1, "ou_a")
    assert rate("feishu", "c", claim.inbox_id, 1, "ou_b")
    assert not rate("feishu", "other", claim.inbox_id, 1, "ou_a")
    assert not rate("telegram", "c", claim.inbox_id, 1, "ou_a")
    assert not rate("feishu", "c", claim.inbox_id + 1, 1, "ou_a")
    (found,) = hall.ratings.satisfaction(60)
    assert (found.platform, found.ratings, found.good, found.csat) == ("feishu", 2, 1, 50.0)
    help_claim = hall.claimed("/help")
    hall.inbox.finish(help_claim, "help", push=True, remember=False)
    assert not rate("feishu", "c", help_claim.inbox_id, 1, "ou_a"), "not the model's"


def test_who_waits_is_told_once_in_a_while(hall: Hall) -> None:
    for number, chat in enumerate(("c1", "c2", "c2", "c3"), 1):
        hall.accept(f"question {number}", chat=chat)
    assert hall.notices.due(["feishu"], 30) == []
    with hall.database.write() as session:
        session.execute(update(InboxRow).values(received_at=InboxRow.received_at - 31))
    due = hall.notices.due(["feishu"], 30)
    assert [(w.inbox_id, w.before) for w in due] == [(1, 0), (2, 1), (4, 3)]
    assert hall.notices.due(["telegram"], 30) == []
    assert [hall.notices.put(w.inbox_id, "wait") for w in due] == [True, True, True]
    assert not hall.notices.put(1, "wait")
    assert hall.notices.due(["feishu"], 30) == []
    first = hall.claim()
    told = hall.outbox.claim(["feishu"])
    assert told is not None
    assert (told.text, told.rateable) == ("wait", 0)
    assert hall.outbox.sent(told)
    # The notice that nobody has begun to send is withdrawn by the answer.
    second = hall.claim()
    assert (first.chat, second.chat) == ("c1", "c2")
    for claim in (first, second):
        hall.answer(claim, f"answer to {claim.chat}")
    sent = []
    while (delivery := hall.outbox.claim(["feishu"])) is not None:
        assert hall.outbox.sent(delivery)
        sent.append(delivery.text)
    assert sent == ["wait", "answer to c1", "answer to c2"]
    assert not hall.notices.put(1, "too late")
    with hall.database.write() as session:
        session.execute(text("UPDATE outbox SET created_at = created_at - :s"), {"s": QUIET_SECONDS + 1})
    assert [w.inbox_id for w in hall.notices.due(["feishu"], 30)] == [3]


def test_forgetting_a_person_takes_everything_along(hall: Hall) -> None:
    claim = hall.claimed("/feedback private words")
    hall.commands().answer(claim, "en")
    hall.answer(claim)
    claim = hall.claimed("q")
    hall.answer(claim)
    hall.ratings.rate("feishu", "c", claim.inbox_id, 1, "ou_a")
    found = find(hall.database, "feishu", user="ou_a")
    assert len(found.ids) == 2
    deleted = erase(hall.database, found.ids)
    assert (deleted["feedback"], deleted["ratings"]) == (1, 1)
    assert hall.ratings.feedback(60) == []
    assert find(hall.database, "feishu", user="ou_a").ids == []


def test_tables_of_the_first_version_are_brought_up_to_date(any_database: str) -> None:
    database = Database(any_database)
    config = Config()
    config.set_main_option("script_location", "app/assistant/store/migrations")
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO conversations VALUES (1, 'feishu', 'c', 1.0, NULL, 0.0)"))
        for number, sender in ((1, '{"sender": "ou_a"}'), (2, "{}")):
            connection.execute(
                text(
                    "INSERT INTO inbox VALUES (:n, 'feishu', :m, 1, 'chat', 'words', '', :p, 'done', 1, 1.0, "
                    "1.0, 1.0)"
                ),
                {"n": number, "m": f"m{number}", "p": sender},
            )
        connection.execute(
            text(
                "INSERT INTO outbox VALUES (1, 1, 1, 'feishu', 'c', '', 'reply', '{}', 'key', 1, 'done', 1, "
                "1.0, NULL, 0.0, 1.0, 1.0)"
            )
        )
    migrate(database)
    migrate(database)
    assert list(find(database, "feishu", user="ou_a").ids) == [1]
    reply = Outbox(database, 60).reply_to(1)
    assert reply is not None
    assert reply.text == "reply"
    indexes = {i["name"] for i in inspect(database.engine).get_indexes("outbox")}
    assert "outbox_by_state" in indexes
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        columns = {c["name"] for c in inspect(connection).get_columns("outbox")}
        assert "purpose" not in columns
        assert connection.execute(text("SELECT text FROM outbox")).scalar_one() == "reply"
    database.close()


def _command(database: Database, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    url = database.engine.url.render_as_string(hide_password=False)
    return subprocess.run(
        [sys.executable, "-m", "assistant", *arguments],
        cwd="app",
        env={"PATH": "/usr/bin:/bin", "ASSISTANT_DATABASE_URL": url, "ASSISTANT_SECRETS_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_operators_see_ratings_and_feedback_and_turn_maintenance_on(hall: Hall, tmp_path: Path) -> None:
    claim = hall.claimed("q")
    hall.answer(claim)
    hall.ratings.rate("feishu", "c", claim.inbox_id, 1, "ou_a")
    claim = hall.claimed("/feedback 太慢了\x1b[2J")
    hall.commands().answer(claim, "zh")
    said = _command(hall.database, tmp_path, "feedback", "--days", "1").stdout
    assert "feishu: 1 ratings, 1 of them good (CSAT 100 %)" in said
    assert "太慢了?[2J" in said
    found = json.loads(_command(hall.database, tmp_path, "feedback", "--json").stdout)
    assert found["feedback"][0]["channel"] == "feishu"
    assert "off" in _command(hall.database, tmp_path, "maintenance", "status").stdout
    assert _command(hall.database, tmp_path, "maintenance", "on").returncode == 0
    assert hall.switches.on_since(MAINTENANCE) is not None
    assert "on since" in _command(hall.database, tmp_path, "maintenance", "status").stdout
    assert _command(hall.database, tmp_path, "maintenance", "off").returncode == 0
    assert hall.switches.on_since(MAINTENANCE) is None


def test_commands_without_a_database_say_what_to_do(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/none.db")
    for arguments in (("feedback",), ("maintenance", "on")):
        done = _command(database, tmp_path, *arguments)
        assert done.returncode == 1
        assert "ASSISTANT_DATABASE_URL" in done.stderr
        assert "docker exec" in done.stderr
