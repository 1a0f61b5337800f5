"""The command ``inbox`` beside a running assistant: what it puts back is answered, and sent, for real."""

import json
import threading

import pytest
from sqlalchemy import text

from assistant.messages import Incoming
from assistant.store import Database, Inbox, migrate
from assistant.store.dead_letters import DeadLetters, Key, Kind, NotGivenUpError
from tests.emulators.feishu_client import FeishuUser
from tests.emulators.model_server import PIECES, ModelServer, Trouble, make_model_app
from tests.emulators.server import Server
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import Assistant, until

PRIVATE = "a very private sentence"
BROKEN = Trouble(400, {"message": "cannot be answered", "type": "invalid_request_error"})


@pytest.fixture(autouse=True)
def clean(platforms: Platforms) -> None:
    platforms.reset()


def inbox(assistant: Assistant, *arguments: str, status: int = 0) -> str:
    """What the command prints, run with the environment of the container."""
    done = assistant.command("inbox", *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    assert PRIVATE not in done.stdout + done.stderr or "--text" in arguments
    return done.stderr if status else done.stdout


def entries(assistant: Assistant, state: str = "given-up") -> dict[str, str]:
    """Ids and reasons."""
    found = json.loads(inbox(assistant, "list", "--json", "--state", state))["entries"]
    return {e["id"]: e["reason"] for e in found}


def dead_letters(assistant: Assistant) -> float:
    (line,) = [
        m for m in assistant.get("/metrics").text.splitlines() if m.startswith("assistant_dead_letters ")
    ]
    return float(line.split()[1])


def test_messages_that_were_given_up_are_answered_in_order(
    make_assistant: Maker, platforms: Platforms, any_database: str
) -> None:
    server = ModelServer()
    with Server(make_model_app(server), "127.0.0.1", 0) as running:
        settings = {**platforms.settings(), "MODEL_PATH": "", "ASSISTANT_BACKEND_URL": f"{running.url}/v1"}
        assistant = make_assistant(settings, any_database)
        (assistant.directory / "secrets" / "backend_api_key").write_text(server.key + "\n")
        assistant.start()
        server.fail(BROKEN, BROKEN)
        user = FeishuUser()
        for number in (1, 2):
            event = platforms.feishu_event(f"{PRIVATE} {number}", user=user, message_id=f"om_{number}")
            assert platforms.post_feishu(assistant, event).status_code == 200
        apologies = platforms.wait_for(platforms.feishu, 2)
        assert all("Sorry" in s["text"] for s in apologies)
        assert entries(assistant) == {"inbox-1": "RequestError", "inbox-2": "RequestError"}
        until("the scrape shows it", lambda: dead_letters(assistant) == 2)
        assert f"{PRIVATE} 1" in inbox(assistant, "show", "inbox-1", "--text")
        assert "hidden" in inbox(assistant, "show", "inbox-1")
        asked = len(server.asked)

        assert "2 dead letters put back." in inbox(assistant, "retry", "--all")
        answers = platforms.wait_for(platforms.feishu, 4)[2:]
        assert [(s["reply_to"], s["text"]) for s in answers] == [
            ("om_1", "".join(PIECES)),
            ("om_2", "".join(PIECES)),
        ]
        assert [body["messages"][-1]["content"] for body in server.asked[asked:]] == [
            f"{PRIVATE} 1",
            f"{PRIVATE} 2",
        ]
        until("both are done", lambda: entries(assistant, "all") == {})
        until("the scrape shows it", lambda: dead_letters(assistant) == 0)
        # Both turns are remembered now, as those of any answered message.
        assert assistant.count("messages") == 4
        assert "inbox-1: is done, not given up" in inbox(assistant, "retry", "inbox-1", status=1)
        assert PRIVATE not in assistant.log()
        assert assistant.stop() == 0


def test_replies_that_were_given_up_are_sent_or_discarded(
    make_assistant: Maker, platforms: Platforms, any_database: str
) -> None:
    assistant = make_assistant(platforms.settings(), any_database)
    assistant.start()
    platforms.fail(platforms.feishu, match="/reply", status=400, code=230011, times=2)
    for number in (1, 2):
        event = platforms.feishu_event("/help", message_id=f"om_{number}")
        assert platforms.post_feishu(assistant, event).status_code == 200
    recalled = "feishu code 230011: the message was recalled"
    reasons = {"outbox-1": recalled, "outbox-2": recalled}
    until("both are given up", lambda: entries(assistant) == reasons)
    (kept,) = [f"outbox-{row[0]}" for row in assistant.rows("SELECT id FROM outbox WHERE reply_to = 'om_1'")]
    (other,) = {"outbox-1", "outbox-2"} - {kept}

    # Another conversation is in mid-answer meanwhile.
    assistant.hold.touch()
    held = platforms.feishu_event("HOLD", user=FeishuUser(), message_id="om_held")
    assert platforms.post_feishu(assistant, held).status_code == 200
    until("the model is in mid-answer", assistant.marker.exists)
    assert entries(assistant, "working") == {"inbox-3": ""}
    assert "inbox-3: is working, not given up" in inbox(assistant, "retry", kept, "inbox-3", status=1)
    assert platforms.sent(platforms.feishu) == []

    assert f"{other}: discarded" in inbox(assistant, "discard", other, "--yes")
    assert f"{kept}: put back, to be sent again" in inbox(assistant, "retry", kept)
    assert [s["reply_to"] for s in platforms.wait_for(platforms.feishu, 1)] == ["om_1"]
    assistant.hold.unlink()
    # What comes later shows that the discarded reply would have been sent by now.
    assert [s["reply_to"] for s in platforms.wait_for(platforms.feishu, 2)] == ["om_1", "om_held"]
    assert entries(assistant, "discarded") == {other: recalled}
    until("nothing is open", lambda: entries(assistant, "all") == {other: recalled})
    until("the scrape shows it", lambda: dead_letters(assistant) == 0)
    assert assistant.stop() == 0


def test_two_engineers_at_once_put_each_message_back_once(any_database: str) -> None:
    database = Database(any_database)
    migrate(database)
    store = Inbox(database, 60)
    keys = []
    for number in range(8):
        found = store.accept(Incoming("feishu", f"m{number}", "chat", "text"))
        claim = store.claim()
        assert claim is not None and found is not None
        store.finish(claim, "sorry", push=True, remember=False, dead_reason="RequestError")
        keys.append(Key(Kind.INBOX, found))
    done: list[Key] = []
    faults: list[BaseException] = []
    barrier = threading.Barrier(4)

    def engineer() -> None:
        own = Database(any_database)
        try:
            barrier.wait(10)
            for key in keys:
                try:
                    DeadLetters(own).retry(key)
                    done.append(key)
                except NotGivenUpError:
                    continue
        except BaseException as error:
            faults.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=engineer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    assert sorted(done) == keys
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 0
        assert session.execute(text("SELECT count(*) FROM dead_letters")).scalar_one() == 0
    database.close()


def test_before_the_first_start(make_assistant: Maker, any_database: str) -> None:
    assistant = make_assistant({}, any_database)
    word = "has no tables" if any_database.startswith("postgresql") else "is not there"
    assert word in inbox(assistant, "list", status=1)
