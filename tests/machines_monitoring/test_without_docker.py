"""Docker itself stands still: the relay does not live in it, and says so all the same."""

from __future__ import annotations

import time

from tests.machines_monitoring import chats
from tests.machines_monitoring.faults import stopped_docker
from tests.machines_monitoring.services import alert_states
from tests.machines_monitoring.window import window_of
from tests.machines_verify.machine_access import eventually, run_as_root

PATIENCE_SECONDS = 600.0


def said(state: str, since: float) -> dict[str, int]:
    return {chat: len(chats.messages(chat, "AssistantDown", state, since)) for chat in chats.CHATS}


def test_a_host_without_docker_is_announced() -> None:
    assert eventually(
        lambda: "AssistantDown" not in {name for name, _ in alert_states()}, PATIENCE_SECONDS, 5
    )
    begun = time.time()
    patience = window_of("AssistantDown").seconds + PATIENCE_SECONDS
    once = dict.fromkeys(chats.CHATS, 1)
    with stopped_docker():
        assert run_as_root("docker ps").returncode != 0
        assert eventually(lambda: all(said("firing", begun).values()), patience, pause=3), said(
            "firing", begun
        )
    assert eventually(lambda: all(said("resolved", begun).values()), patience, pause=3), said(
        "resolved", begun
    )
    assert said("firing", begun) == once
    assert said("resolved", begun) == once
