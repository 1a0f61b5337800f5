"""A start that cannot work ends the process and says why."""

from pathlib import Path

from tests.integration.app.conftest import Maker
from tests.integration.app.process import Assistant


def ended(assistant: Assistant) -> str:
    assistant.start(wait=False)
    assert assistant.process is not None
    assert assistant.process.wait(60) != 0
    return assistant.log()


def test_model_that_is_cut_off(make_assistant: Maker, model_path: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(model_path.read_bytes()[:5000])
    assistant = make_assistant({"MODEL_PATH": str(cut)})
    assert "cut off" in ended(assistant)


def test_system_prompt_that_fills_the_context(make_assistant: Maker) -> None:
    assistant = make_assistant({"ASSISTANT_SYSTEM_PROMPT": "word " * 2000})
    assert "ASSISTANT_SYSTEM_PROMPT" in ended(assistant)


def test_database_in_a_directory_that_is_missing(make_assistant: Maker, tmp_path: Path) -> None:
    assistant = make_assistant({}, f"sqlite:///{tmp_path}/missing/assistant.db")
    assert ended(assistant).count("ASSISTANT_DATABASE_URL: the database cannot be used") == 1


def test_platforms_that_are_away_do_not_delay_readiness(make_assistant: Maker) -> None:
    # Port 9 (discard) refuses: neither setWebhook nor the bot's identity can work.
    assistant = make_assistant(
        {
            "ASSISTANT_FEISHU_ENABLED": "true",
            "ASSISTANT_FEISHU_APP_ID": "cli_1",
            "ASSISTANT_FEISHU_BASE_URL": "http://127.0.0.1:9",
            "ASSISTANT_TELEGRAM_ENABLED": "true",
            "ASSISTANT_TELEGRAM_BASE_URL": "http://127.0.0.1:9",
            "ASSISTANT_PUBLIC_URL": "https://assistant.example.com",
        }
    )
    assistant.start()
    assert assistant.stop() == 0
