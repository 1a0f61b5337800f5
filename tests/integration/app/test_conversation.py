"""Messages through every door, to the model and back."""

import json
import re

import httpx

from tests.emulators.feishu_client import FeishuUser
from tests.emulators.telegram_client import TelegramUser, message_update
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import APP_ID, SECRETS, Assistant, until


def test_feishu_answers_the_message_once(assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    event = platforms.feishu_event("What is the weather like?", message_id="om_once")
    assert platforms.post_feishu(assistant, event).status_code == 200
    sent = platforms.wait_for(platforms.feishu, 1)
    assert sent[0]["reply_to"] == "om_once"
    assert sent[0]["text"].strip()
    # Feishu repeats an event until it is acknowledged, with the same message and another event id.
    again = platforms.feishu_event("What is the weather like?", message_id="om_once")
    assert platforms.post_feishu(assistant, again).status_code == 200
    assert platforms.post_feishu(assistant, event).status_code == 200
    assert assistant.rows("SELECT count(*) FROM inbox WHERE message_id = 'om_once'")[0][0] == 1
    # A later message's answer shows that an answer to the repetitions would have come by now.
    platforms.post_feishu(assistant, platforms.feishu_event("/help", message_id="om_later"))
    sent = platforms.wait_for(platforms.feishu, 2)
    assert [s["reply_to"] for s in sent] == ["om_once", "om_later"]


def test_telegram_answers_the_message_once(assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    user = TelegramUser()
    for _ in range(3):
        response = platforms.post_telegram(assistant, "你好", user=user, update_id=500, message_id=41)
        assert response.status_code == 200
    platforms.post_telegram(assistant, "/help", user=user, message_id=42)
    sent = platforms.wait_for(platforms.telegram, 2)
    assert [str(s["reply_to"]) for s in sent] == ["41", "42"]
    assert {str(s["chat"]) for s in sent} == {str(user.user_id)}


def test_commands_answer_in_both_languages(assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    answered = assistant.log().count('"answered"')
    # Neither the command nor the platform tells which of the two the person speaks.
    platforms.post_telegram(assistant, "/start", user=TelegramUser(language_code="fr"))
    platforms.post_feishu(assistant, platforms.feishu_event("/help"))
    for text in (
        platforms.wait_for(platforms.telegram, 1)[0]["text"],
        platforms.wait_for(platforms.feishu, 1)[0]["text"],
    ):
        assert re.search("[\u4e00-\u9fff]", text)
        assert "message" in text
    assert assistant.log().count('"answered"') == answered, "a command must not reach the model"


def test_picture_gets_a_polite_refusal(assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    event = platforms.feishu_event("")
    event["event"]["message"].update(message_type="image", content=json.dumps({"image_key": "img_1"}))
    assert platforms.post_feishu(assistant, event).status_code == 200
    assert "text messages" in platforms.wait_for(platforms.feishu, 1)[0]["text"]


def test_group_message_that_mentions_the_bot(assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    event = platforms.feishu_event("@_user_1 /help", user=FeishuUser(chat_type="group"))
    # The assistant's own open_id, as the emulated platform tells it.
    token = httpx.post(
        f"{platforms.feishu}/open-apis/auth/v3/tenant_access_token/internal",
        json={"app_id": APP_ID, "app_secret": SECRETS["feishu_app_secret"]},
        trust_env=False,
    ).json()["tenant_access_token"]
    info = httpx.get(
        f"{platforms.feishu}/open-apis/bot/v3/info",
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
    ).json()
    event["event"]["message"]["mentions"] = [
        {"key": "@_user_1", "id": {"open_id": info["bot"]["open_id"]}, "name": "bot"}
    ]
    assert platforms.post_feishu(assistant, event).status_code == 200
    assert platforms.wait_for(platforms.feishu, 1)


def test_conversation_keeps_order_and_its_own_context(assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    one, two = FeishuUser(), FeishuUser()
    for number in range(3):
        for user, name in ((one, "one"), (two, "two")):
            event = platforms.feishu_event(
                f"message {number} of {name}", user=user, message_id=f"om_{name}_{number}"
            )
            assert platforms.post_feishu(assistant, event).status_code == 200
    sent = platforms.wait_for(platforms.feishu, 6)
    for user, name in ((one, "one"), (two, "two")):
        replies = [s["reply_to"] for s in sent if name in s["reply_to"]]
        assert replies == [f"om_{name}_{n}" for n in range(3)]
        turns = assistant.rows(
            "SELECT m.role, m.content FROM messages m JOIN conversations c ON c.id = m.conversation_id "
            f"WHERE c.chat = '{user.chat_id}' ORDER BY m.id"
        )
        assert [t[0] for t in turns] == ["user", "assistant"] * 3
        assert [t[1] for t in turns[::2]] == [f"message {n} of {name}" for n in range(3)]


def test_nul_and_broken_surrogates_do_no_harm(assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    event = platforms.feishu_event("x")
    event["event"]["message"]["content"] = '{"text": "a\\u0000b \\ud83d c"}'
    assert platforms.post_feishu(assistant, event).status_code == 200
    assert platforms.wait_for(platforms.feishu, 1)


def test_message_longer_than_the_context(assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    assert platforms.post_feishu(assistant, platforms.feishu_event("word " * 30_000)).status_code == 200
    assert platforms.wait_for(platforms.feishu, 1)[0]["text"]


def test_feishu_token_withdrawn_and_server_faults(assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    platforms.fail(platforms.feishu, match="/reply", status=500)
    platforms.fail(platforms.feishu, match="/reply", cut="after")
    event = platforms.feishu_event("/help", message_id="om_fault")
    assert platforms.post_feishu(assistant, event).status_code == 200
    until("the reply is done", lambda: _state(assistant, "om_fault") == "done")
    assert [s["reply_to"] for s in platforms.sent(platforms.feishu)] == ["om_fault"]


def test_telegram_faults_and_rate_limits(assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    user = TelegramUser()
    platforms.fail(platforms.telegram, match="sendMessage", status=502)
    for number in range(5):
        platforms.post_telegram(assistant, "/help", user=user, message_id=900 + number)
    sent = platforms.wait_for(platforms.telegram, 5)
    assert [int(s["reply_to"]) for s in sent] == [900 + n for n in range(5)]


def _state(assistant: Assistant, message_id: str) -> str:
    rows = assistant.rows(
        f"SELECT o.state FROM outbox o JOIN inbox i ON i.id = o.inbox_id WHERE i.message_id = '{message_id}'"
    )
    return str(rows[0][0]) if rows else ""


def test_api_answers_in_openai_shape(assistant: Assistant) -> None:
    headers = {"Authorization": f"Bearer {SECRETS['api_token']}"}
    models = assistant.get("/v1/models", headers=headers).json()
    assert models["object"] == "list"
    body = {
        "model": models["data"][0]["id"],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
        ],
        "max_tokens": 5,
        "temperature": 0,
    }
    first, second = (assistant.post("/v1/chat/completions", json=body, headers=headers) for _ in range(2))
    assert first.status_code == second.status_code == 200
    value = first.json()
    assert value["object"] == "chat.completion"
    assert value["choices"][0]["message"]["role"] == "assistant"
    assert value["usage"]["completion_tokens"] <= 5
    assert value["choices"][0]["finish_reason"] in {"stop", "length"}
    # Temperature 0 and a conversation of its own each: the calls know nothing of each other.
    assert value["choices"] == second.json()["choices"]
    assert value["id"] != second.json()["id"]


def test_metrics_and_health(assistant: Assistant) -> None:
    assert assistant.get("/healthz").json() == {"status": "ok"}
    assert assistant.get("/readyz").json()["parts"] == {"model": True, "database": True, "threads": True}
    metrics = assistant.get("/metrics").text
    for name in ("assistant_ready 1.0", "assistant_inbox_waiting", "assistant_requests_total"):
        assert name in metrics


def test_log_is_json_and_holds_nothing_personal(assistant: Assistant, platforms: Platforms) -> None:
    platforms.reset()
    user = TelegramUser(first_name="Wilhelmina")
    platforms.post_telegram(assistant, "a very private sentence", user=user)
    reply = platforms.wait_for(platforms.telegram, 1)[0]["text"]
    log = assistant.log()
    for private in ("a very private sentence", "Wilhelmina", str(user.user_id), *SECRETS.values()):
        assert private not in log
    assert reply[:12] not in log
    for line in log.splitlines():
        if not line.startswith("load_backend:"):  # ggml's own
            assert {"@timestamp", "log.level", "message"} <= json.loads(line).keys()


def test_polling_reads_each_update_once(make_assistant: Maker, platforms: Platforms) -> None:
    platforms.reset()
    polling = make_assistant({**platforms.settings(), "ASSISTANT_TELEGRAM_MODE": "polling"})
    polling.start()
    assert polling.post("/telegram/webhook", json={}).status_code == 404
    user = TelegramUser()
    for number in (1, 2):
        update = message_update("/help", user=user, update_id=7000 + number, message_id=number)
        httpx.post(f"{platforms.telegram}/_update", json=update, trust_env=False).raise_for_status()
    platforms.wait_for(platforms.telegram, 2)
    until("the offset is committed", lambda: polling.rows("SELECT value FROM cursors") == [(7003,)])
    assert polling.stop() == 0
    polling.start()
    # One that cannot be read must not keep the later ones back for ever.
    broken = {"update_id": 7003, "message": {"message_id": 1, "date": "x"}}
    httpx.post(f"{platforms.telegram}/_update", json=broken, trust_env=False).raise_for_status()
    update = message_update("/help", user=user, update_id=7004, message_id=3)
    httpx.post(f"{platforms.telegram}/_update", json=update, trust_env=False).raise_for_status()
    sent = platforms.wait_for(platforms.telegram, 3)
    assert [str(s["reply_to"]) for s in sent] == ["1", "2", "3"]
    metrics = polling.get("/metrics").text
    for outcome in ("accepted", "rejected"):
        assert f'assistant_requests_total{{channel="telegram",outcome="{outcome}"}} 1.0' in metrics
    assert 'assistant_ack_seconds_count{channel="telegram"} 1.0' in metrics
    polling.stop()
