"""The relay with both emulated platforms: what is posted, once, whatever fails in between."""

import json
from collections.abc import Callable

import pytest

from tests.integration.alert_relay.conftest import Chats, notification
from tests.integration.alert_relay.process import BOT_TOKEN, HOOK_SECRET, HOOK_TOKEN, Relay
from tests.integration.app.process import until


def test_an_alert_and_its_end_come_once_to_each_chat(relay: Relay, chats: Chats) -> None:
    for status in ("firing", "firing", "resolved", "resolved"):
        assert relay.post("/alerts", notification(status=status)).status_code == 200
    chats.wait_for(2)
    until("the outbox is empty", relay.drained)
    assert chats.counts() == (2, 2)
    for base in chats.both:
        firing, resolved = chats.texts(base)
        for words in ("告警 firing", "HostDiskFull", "磁盘已使用 <90 %>", "the disk is <90 %> full", "demo1"):
            assert words in firing
        assert "严重 critical" in firing
        assert "1.2 GB left & shrinks" in firing
        assert "2026-11-26 20:00:00" in firing
        assert "docs/runbooks/HostDiskFull.md" in firing
        assert "已恢复 resolved" in resolved
        assert "2026-11-26 20:30:00" in resolved
        assert "GB left" not in resolved  # a value of the past
    assert relay.metric('alert_relay_messages_total{channel="feishu",outcome="posted"}') == 2
    assert relay.metric('alert_relay_notifications_total{outcome="duplicate"}') == 2
    assert relay.metric('alert_relay_oldest_waiting_seconds{channel="telegram"}') == 0


@pytest.mark.parametrize(
    ("status", "extra"),
    [(500, {}), (429, {"retry_after": 1}), (500, {"cut": "before"})],
    ids=["5xx", "429", "cut"],
)
def test_what_fails_for_a_while_is_delivered_once(
    relay: Relay, chats: Chats, status: int, extra: dict[str, object]
) -> None:
    for base in chats.both:
        chats.fail(base, times=2, status=status, **extra)
    relay.post("/alerts", notification())
    chats.wait_for(1)
    until("the outbox is empty", relay.drained)
    assert chats.counts() == (1, 1)
    assert relay.metric('alert_relay_messages_total{channel="telegram",outcome="retried"}') == 2
    assert relay.metric('alert_relay_messages_total{channel="telegram",outcome="failed"}') == 0


def test_kill_9_loses_nothing(relay: Relay, chats: Chats) -> None:
    """Alertmanager was told 200: from then on the relay alone knows of the alert."""
    for base in chats.both:
        chats.fail(base, times=1000, cut="before")
    names = [f"Alert{number}" for number in range(3)]
    for name in names:
        assert relay.post("/alerts", notification(name)).status_code == 200
    relay.kill()
    for base in chats.both:
        chats.post(base, "/_reset", {})
    relay.start()
    chats.wait_for(3)
    until("the outbox is empty", relay.drained)
    for base in chats.both:
        texts = chats.texts(base)
        assert [name in text for name, text in zip(names, texts, strict=True)] == [True] * 3  # in their order
    # Alertmanager comes again after the relay's death, for it never saw some answer.
    relay.post("/alerts", notification("Alert1"))
    assert relay.metric('alert_relay_notifications_total{outcome="duplicate"}') == 1


def test_one_platform_that_is_down_does_not_hold_the_other(relay: Relay, chats: Chats) -> None:
    chats.fail(chats.feishu, times=1000, status=500)
    relay.post("/alerts", notification())
    until("Telegram has it", lambda: len(chats.sent(chats.telegram)) == 1)
    assert relay.metric('alert_relay_waiting{channel="feishu"}') == 1


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"secret": "another secret"}, "alert_relay_feishu_secret is not the bot's signing secret"),
        ({"keyword": "no such word"}, "add the text of alert_relay_title"),
        ({"address": "192.0.2.1"}, "add this host's public address"),
    ],
)
def test_a_wrong_setting_is_said_and_what_waits_is_kept(
    relay: Relay, chats: Chats, settings: dict[str, str], hint: str
) -> None:
    chats.bot(**settings)
    relay.post("/alerts", notification())
    until("the log says what to do", lambda: hint in relay.log())
    chats.bot(secret=HOOK_SECRET)
    relay.stop()
    relay.start()  # as the role does with a changed configuration
    chats.wait_for(1)


def test_no_secret_is_ever_logged(relay: Relay, chats: Chats) -> None:
    for base in chats.both:
        chats.fail(base, status=500, message=f"{BOT_TOKEN} {HOOK_TOKEN} {HOOK_SECRET}")
    relay.post("/alerts", notification())
    chats.wait_for(1)
    until("the outbox is empty", relay.drained)
    assert "***" in relay.log()
    for secret in (BOT_TOKEN, HOOK_TOKEN, HOOK_SECRET):
        assert secret not in relay.log()


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"version": "3"},
        {**notification(), "alerts": []},
        {**notification(), "alerts": [{"status": "x"}]},
    ],
)
def test_what_alertmanager_never_sends_is_refused(relay: Relay, chats: Chats, body: object) -> None:
    answer = relay.post("/alerts", body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert chats.counts() == (0, 0)


def test_a_long_group_is_cut_to_what_the_platforms_take(relay: Relay, chats: Chats) -> None:
    document = notification()
    one = document["alerts"][0]
    document["alerts"] = [
        {
            **one,
            "fingerprint": f"{number:016x}",
            "annotations": {"summary_en": f"{number} " + "长 & <b>" * 60},
        }
        for number in range(200)
    ]
    relay.post("/alerts", document)
    chats.wait_for(1)
    for base in chats.both:
        (text,) = chats.texts(base)
        assert "and 1" in text and "more" in text  # and 1xx more
    assert relay.metric('alert_relay_messages_total{channel="feishu",outcome="retried"}') == 0


def test_the_test_message_says_how_each_chat_took_it(make_relay: Callable[..., Relay], chats: Chats) -> None:
    relay = make_relay()
    done = relay.run("test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert chats.counts() == (1, 1)
    chats.bot(secret="another")
    done = relay.run("test")
    assert done.returncode == 1
    assert "telegram (telegram): posted" in done.stdout
    assert "feishu (feishu): NOT posted" in done.stdout
    assert "alert_relay_feishu_secret" in done.stdout


def test_a_wrong_configuration_is_said_before_it_starts(make_relay: Callable[..., Relay]) -> None:
    relay = make_relay(language="fr")
    done = relay.run("check")
    assert done.returncode == 1
    assert "alert_relay_language is 'fr'; use en, zh or both" in done.stderr


def test_a_runbook_with_an_address_is_a_button(make_relay: Callable[..., Relay], chats: Chats) -> None:
    relay = make_relay(runbook_base_url="https://git.example.org/ops/blob/main/", language="en")
    relay.start()
    relay.post("/alerts", notification())
    chats.wait_for(1)
    (sent,) = chats.sent(chats.feishu)
    assert sent["buttons"] == ["https://git.example.org/ops/blob/main/docs/runbooks/HostDiskFull.md"]
    assert "磁盘" not in json.dumps(sent, ensure_ascii=False)
    assert sent["buttons"][0] in chats.texts(chats.telegram)[0]
