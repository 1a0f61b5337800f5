"""A second assistant whose model server is the first one's API: a message in at a channel, the answer out."""

from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import SECRETS, until


def test_one_assistant_is_the_model_server_of_another(make_assistant: Maker, platforms: Platforms) -> None:
    first = make_assistant({"ASSISTANT_TEMPERATURE": "0"})
    first.start()
    second = make_assistant(
        {**platforms.settings(), "MODEL_PATH": "", "ASSISTANT_BACKEND_URL": f"{first.url}/v1"}
    )
    key = second.directory / "secrets" / "backend_api_key"
    key.write_text(SECRETS["api_token"] + "\n")
    second.start()
    platforms.reset()
    platforms.post_feishu(second, platforms.feishu_event("What is the weather like?", message_id="om_far"))
    sent = platforms.wait_for(platforms.feishu, 1)
    assert (sent[0]["reply_to"], bool(sent[0]["text"].strip())) == ("om_far", True)
    made = first.rows("SELECT text FROM outbox WHERE platform = 'api'")
    assert [row[0] for row in made] == [sent[0]["text"]], "the first one made the answer"
    detail = second.rows("SELECT detail FROM outbox")[0][0]
    assert '"prompt_tokens": 0' not in detail
    headers = {"Authorization": f"Bearer {SECRETS['api_token']}"}
    assert second.get("/v1/models", headers=headers).json()["data"][0]["id"] == "remote"
    assert second.stop() == 0
    key.write_text("wrong\n")
    second.start(wait=False)
    until("it says which secret is wrong", lambda: "vault_backend_api_key" in second.log())
    assert second.get("/readyz").status_code == 503
    assert second.stop() == 0
    assert first.stop() == 0
