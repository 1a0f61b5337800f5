"""Ten minutes of a normal day: nobody may be called."""

from __future__ import annotations

import os
import statistics
import time

from tests.machines_monitoring import chats
from tests.machines_monitoring.figures import record
from tests.machines_monitoring.load import Talk
from tests.machines_monitoring.services import alert_states, fired_between
from tests.machines_monitoring.watch import quiet

LOAD_SECONDS = float(os.environ.get("MONITORING_LOAD_SECONDS", "600"))
# A message is still under way so long after its alert fired: Alertmanager's wait, and the relay's tries.
AFTERWARDS_SECONDS = 45.0


def test_a_normal_day_calls_nobody() -> None:
    assert quiet(), f"the machine does not come to rest: {alert_states()}"
    begun = time.time()
    talk = Talk()
    try:
        talk.hold(LOAD_SECONDS)
    finally:
        time.sleep(AFTERWARDS_SECONDS)
        told = {chat: [m.text for m in chats.messages(chat, since=begun)] for chat in chats.CHATS}
        fired = fired_between(begun, time.time())
        record(
            {
                "normal_load_s": round(time.time() - begun - AFTERWARDS_SECONDS, 1),
                "normal_load_questions": talk.asked.total(),
                "normal_load_answer_median_s": round(statistics.median(talk.seconds or [0.0]), 3),
                "false_alarms": max(map(len, told.values())),
                "false_alarm_names": " ".join(sorted(fired)),
            },
            {"false_alarms": [told]},
        )
    assert set(talk.asked) == {"feishu", "telegram", "api"}
    assert fired == set()
    assert told == {chat: [] for chat in chats.CHATS}
