"""People who wait: told why, in their language, and answered in the end."""

from pathlib import Path
from typing import Any

import pytest

from assistant.texts import ENGINE_DOWN, HELP, QUEUED, SLOW
from tests.emulators.feishu_client import FeishuUser, post_card_action
from tests.emulators.model_server import ModelServer, Trouble, make_model_app
from tests.emulators.server import Server
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import APP_ID, SECRETS, Assistant, until


def with_model_server(
    make_assistant: Maker, platforms: Platforms, state: ModelServer, server: Server, **settings: str
) -> Assistant:
    subject = make_assistant(
        {
            **platforms.settings(),
            "MODEL_PATH": "",
            "ASSISTANT_BACKEND_URL": f"{server.url}/v1",
            "ASSISTANT_BACKEND_MODEL": "first-model",
            **settings,
        }
    )
    (subject.directory / "secrets" / "backend_api_key").write_text(state.key + "\n")
    subject.start()
    return subject


def test_while_the_model_is_away_people_are_told_and_answered_later(
    make_assistant: Maker, platforms: Platforms
) -> None:
    platforms.reset()
    state = ModelServer()
    with Server(make_model_app(state), "127.0.0.1", 0) as server:
        subject = with_model_server(make_assistant, platforms, state, server, ASSISTANT_NOTICE_SECONDS="2")
        state.fail(*[Trouble(status=503) for _ in range(40)])
        platforms.post_feishu(subject, platforms.feishu_event("你在吗？", message_id="om_away"))
        told = platforms.wait_for(platforms.feishu, 1)
        assert told[0]["reply_to"] == "om_away"
        assert told[0]["text"] in {ENGINE_DOWN("zh"), SLOW("zh")}
        # Commands need no model.
        platforms.post_feishu(
            subject, platforms.feishu_event("/help", message_id="om_help", user=FeishuUser())
        )
        assert HELP("en") in [s["text"] for s in platforms.wait_for(platforms.feishu, 2)] or HELP("") in [
            s["text"] for s in platforms.sent(platforms.feishu)
        ]
        state.troubles.clear()
        sent = platforms.wait_for(platforms.feishu, 3, seconds=120)
        assert [s["reply_to"] for s in sent].count("om_away") == 2, "the word that it waits, and the answer"
        assert "this is 🎉 an answer." in sent[-1]["text"]
        assert subject.rows("SELECT count(*) FROM dead_letters") == [(0,)]
        assert subject.stop() == 0


def test_who_stands_behind_others_is_told_how_many(make_assistant: Maker, platforms: Platforms) -> None:
    platforms.reset()
    subject = make_assistant(
        {**platforms.settings(), "ASSISTANT_NOTICE_SECONDS": "1", "ASSISTANT_PARALLEL": "1"}
    )
    subject.start()
    Path(subject.hold).touch()
    try:
        for number in range(5):
            user = FeishuUser()
            event = platforms.feishu_event("HOLD the line", message_id=f"om_{number}", user=user)
            platforms.post_feishu(subject, event)
        sent = platforms.wait_for(platforms.feishu, 5)
    finally:
        subject.hold.unlink()
    words = {s["reply_to"]: s["text"] for s in sent}
    assert words == {"om_0": SLOW("en"), **{f"om_{n}": QUEUED("en", before=n) for n in range(1, 5)}}
    answers = platforms.wait_for(platforms.feishu, 10, seconds=120)[5:]
    assert sorted(s["reply_to"] for s in answers) == [f"om_{n}" for n in range(5)]
    assert subject.stop() == 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_words_exist_in_both_languages(language: str) -> None:
    for text in (ENGINE_DOWN, SLOW, QUEUED):
        assert text(language, before=3) != text("zh" if language == "en" else "en", before=3)


def test_known_answers_come_while_the_model_is_busy_and_go_with_a_bad_rating(
    make_assistant: Maker, platforms: Platforms
) -> None:
    platforms.reset()
    state = ModelServer()
    with Server(make_model_app(state), "127.0.0.1", 0) as server:
        subject = with_model_server(
            make_assistant,
            platforms,
            state,
            server,
            ASSISTANT_ANSWER_CACHE_SECONDS="600",
            ASSISTANT_PARALLEL="1",
        )
        _known_answers(subject, platforms, state)
        assert subject.stop() == 0


def _known_answers(subject: Assistant, platforms: Platforms, state: ModelServer) -> None:
    people = {f"om_{number}": FeishuUser() for number in range(1, 4)}

    def ask(text: str, message_id: str) -> dict[str, Any]:
        event = platforms.feishu_event(text, message_id=message_id, user=people[message_id])
        platforms.post_feishu(subject, event)

        def finished() -> list[dict[str, Any]]:
            sent = platforms.sent(platforms.feishu)
            return [s for s in sent if s["reply_to"] == message_id and s["buttons"]]

        (answer,) = until(f"the answer to {message_id}", finished)
        return answer

    def hits() -> list[str]:
        lines = subject.get("/metrics").text.splitlines()
        return [line.split()[1] for line in lines if 'answer_cache_total{result="hit"}' in line]

    first = ask("What can you do?", "om_1")
    state.fail(Trouble(wait=20.0), Trouble(wait=20.0))
    for number in range(4):
        event = platforms.feishu_event(f"Busy {number}", message_id=f"om_busy{number}", user=FeishuUser())
        platforms.post_feishu(subject, event)
    until("the model is busy", lambda: len(state.asked) == 2)
    second = ask("What  can you do?", "om_2")
    assert second["text"] == first["text"]
    assert len(state.asked) == 2, "the model was not asked, and is busy still"
    assert hits() == ["1.0"]
    post_card_action(
        subject.url,
        next(value for value in second["buttons"] if value["score"] < 0),
        SECRETS["feishu_encrypt_key"],
        app_id=APP_ID,
        verification_token=SECRETS["feishu_verification_token"],
        user=people["om_2"],
    )
    ask("What can you do?", "om_3")
    assert hits() == ["1.0"], "the model was asked again"
