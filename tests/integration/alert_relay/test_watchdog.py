"""When the heartbeat stays away, the relay says so itself, once; tests/unit/alert_relay has the times."""

from collections.abc import Callable

from tests.integration.alert_relay.conftest import Chats, notification
from tests.integration.alert_relay.process import Relay


def test_silence_and_return_are_said_once_over_a_restart(
    make_relay: Callable[..., Relay], chats: Chats
) -> None:
    relay = make_relay(watchdog_seconds=2)
    relay.start()
    chats.wait_for(1)
    relay.kill()
    relay.start()
    assert relay.metric("alert_relay_watchdog_silent") == 1
    answer = relay.post("/alerts", notification("Watchdog", severity="none"))
    assert answer.json()["status"] == "heartbeat"
    chats.wait_for(2)
    for base in chats.both:
        silent, back = chats.texts(base)[:2]
        assert "monitoring is silent" in silent
        assert "monitoring is back" in back
