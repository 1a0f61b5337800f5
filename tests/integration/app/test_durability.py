"""The process may end at any instruction: no message is lost and none is answered twice."""

import pytest

from tests.emulators.feishu_client import FeishuUser
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import until


@pytest.fixture(autouse=True)
def clean(platforms: Platforms) -> None:
    platforms.reset()


def test_killed_in_mid_answer(make_assistant: Maker, platforms: Platforms, any_database: str) -> None:
    assistant = make_assistant(platforms.settings(), any_database)
    assistant.start()
    assistant.hold.touch()
    user = FeishuUser()
    first = platforms.feishu_event("HOLD this one", user=user, message_id="om_first")
    second = platforms.feishu_event("and this one waits", user=user, message_id="om_second")
    assert platforms.post_feishu(assistant, first).status_code == 200
    until("the model is in mid-answer", assistant.marker.exists)
    assert platforms.post_feishu(assistant, second).status_code == 200
    assistant.kill()
    assert platforms.sent(platforms.feishu) == []

    assistant.hold.unlink()
    assistant.start()
    # What the platform does meanwhile: it sends the event again.
    assert platforms.post_feishu(assistant, first).status_code == 200
    platforms.wait_for(platforms.feishu, 2)
    until(
        "all is sent", lambda: assistant.rows("SELECT count(*) FROM outbox WHERE state = 'done'")[0][0] == 2
    )
    assert [s["reply_to"] for s in platforms.sent(platforms.feishu)] == ["om_first", "om_second"]
    assert assistant.marker.read_text() == "xx", "the model began twice"
    assert assistant.count("inbox") == assistant.count("outbox") == 2
    assert assistant.count("messages") == 4
    assert assistant.stop() == 0


def test_killed_between_sending_and_noting_it(
    make_assistant: Maker, platforms: Platforms, any_database: str
) -> None:
    assistant = make_assistant(platforms.settings(), any_database)
    assistant.start()
    # The platform takes the reply, but its answer never arrives; then the process ends.
    platforms.fail(platforms.feishu, match="/reply", cut="after", times=3)
    event = platforms.feishu_event("/help", message_id="om_lost_answer")
    assert platforms.post_feishu(assistant, event).status_code == 200
    platforms.wait_for(platforms.feishu, 1)
    assistant.kill()
    assert assistant.rows("SELECT state FROM outbox") == [("pending",)]

    # _reset would also forget what was sent: use up the ordered faults instead.
    assistant.start()
    until("it is sent", lambda: assistant.rows("SELECT state FROM outbox") == [("done",)], 90)
    assert [s["reply_to"] for s in platforms.sent(platforms.feishu)] == ["om_lost_answer"]
    assert assistant.stop() == 0


def test_orderly_stop_gives_back_at_once(
    make_assistant: Maker, platforms: Platforms, any_database: str
) -> None:
    assistant = make_assistant(platforms.settings(), any_database)
    assistant.start()
    assistant.hold.touch()
    event = platforms.feishu_event("HOLD", message_id="om_stop")
    assert platforms.post_feishu(assistant, event).status_code == 200
    until("the model is in mid-answer", assistant.marker.exists)
    assert assistant.stop() == 0
    assert assistant.rows("SELECT state, attempts FROM inbox") == [("pending", 0)]
    assert assistant.rows("SELECT lease_token FROM conversations") == [(None,)]
    assistant.hold.unlink()
    assistant.start()
    assert [s["reply_to"] for s in platforms.wait_for(platforms.feishu, 1)] == ["om_stop"]
    assert assistant.stop() == 0
