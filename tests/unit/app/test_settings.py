"""Settings: each wrong one gives a single line that names it."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assistant import settings as module
from assistant import settings_checks
from assistant.inference.loading import DoesNotFitHost
from assistant.settings import Settings, SettingsError, load_settings
from tests.unit.app.model_files import write_model

APP = Path(__file__).parents[3] / "app"
SECRET_FILES = (
    "feishu_app_secret",
    "feishu_encrypt_key",
    "feishu_verification_token",
    "telegram_bot_token",
    "telegram_secret_token",
    "api_token",
    "web_chat_access_code",
)


class Place:
    """A complete, good environment that a test spoils."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.secrets = directory / "secrets"
        self.secrets.mkdir()
        for name in SECRET_FILES:
            (self.secrets / name).write_text(f"value of {name}\n")
        self.model = directory / "model.gguf"
        write_model(self.model)
        for name in [n for n in os.environ if n.startswith("ASSISTANT_")]:
            monkeypatch.delenv(name)
        # What a model needs is judged by tests of its own.
        monkeypatch.setattr(settings_checks, "judge", lambda *_arguments, **_settings: None)
        self.set(
            MODEL_PATH=str(self.model),
            ASSISTANT_SECRETS_DIR=str(self.secrets),
            ASSISTANT_FEISHU_ENABLED="true",
            ASSISTANT_FEISHU_APP_ID="cli_1",
            ASSISTANT_TELEGRAM_ENABLED="true",
            ASSISTANT_PUBLIC_URL="https://a.example",
        )

    def set(self, **values: str) -> None:
        for name, value in values.items():
            self.monkeypatch.setenv(name, value)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def problem() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    line = str(caught.value)
    assert "\n" not in line
    assert "value of" not in line, "a secret is shown"
    return line


def test_good_environment(place: Place) -> None:
    settings = load_settings()
    assert settings.secrets.get("api_token") == "value of api_token"
    assert settings.telegram_mode == "webhook"
    assert "value of" not in repr(settings)


def test_model_that_is_cut_off(place: Place) -> None:
    whole = place.model.read_bytes()
    place.model.write_bytes(whole[:-100])
    assert problem().startswith(f"MODEL_PATH: {place.model} cannot be served: the file is cut off: ")


def test_empty_variable_means_the_default(place: Place) -> None:
    place.set(ASSISTANT_SYSTEM_PROMPT="", ASSISTANT_THREADS="", ASSISTANT_LOG_LEVEL="WARNING")
    settings = load_settings()
    assert settings.system_prompt == module.DEFAULT_SYSTEM_PROMPT
    assert (settings.threads, settings.log_level) == (0, "warning")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODEL_PATH", ""),
        ("MODEL_PATH", "/does/not/exist.gguf"),
        ("MODEL_PATH", str(Path(__file__))),
        ("ASSISTANT_BACKEND_URL", "models.example.org/v1"),
        ("ASSISTANT_BACKEND_URL", "https://models.example.org/v1?x=1"),
        ("ASSISTANT_DATABASE_URL", "mysql://x"),
        ("ASSISTANT_DATABASE_URL", "sqlite:///"),
        ("ASSISTANT_PUBLIC_URL", ""),
        ("ASSISTANT_PUBLIC_URL", "http://a.example"),
        ("ASSISTANT_PUBLIC_URL", "a.example"),
        ("ASSISTANT_FEISHU_ENABLED", "perhaps"),
        ("ASSISTANT_FEISHU_APP_ID", ""),
        ("ASSISTANT_FEISHU_BASE_URL", "open.feishu.cn"),
        ("ASSISTANT_FEISHU_SIGNATURE_SCHEME", "md5"),
        ("ASSISTANT_FEISHU_MODE", "polling"),
        ("ASSISTANT_FEISHU_PLAIN_EVENTS", "perhaps"),
        ("ASSISTANT_FEISHU_PLAIN_EVENTS", "true"),
        ("ASSISTANT_FEISHU_MAX_AGE_SECONDS", "-1"),
        ("ASSISTANT_FEISHU_MAX_AGE_SECONDS", "300"),
        ("ASSISTANT_FEISHU_MAX_AGE_SECONDS", "1000000"),
        ("ASSISTANT_TELEGRAM_MODE", "smoke"),
        ("ASSISTANT_TELEGRAM_BASE_URL", "ftp://x"),
        ("ASSISTANT_TELEGRAM_WEBHOOK_PATH", "telegram"),
        ("ASSISTANT_TELEGRAM_WEBHOOK_PATH", "/v1/x"),
        ("ASSISTANT_TELEGRAM_WEBHOOK_PATH", "/<x>"),
        ("ASSISTANT_CONTEXT_TOKENS", "many"),
        ("ASSISTANT_CONTEXT_TOKENS", "1"),
        ("ASSISTANT_PARALLEL", "0"),
        ("ASSISTANT_REPACK", "perhaps"),
        ("ASSISTANT_LOCK_MEMORY", "perhaps"),
        ("ASSISTANT_MAX_TOKENS", "2000"),
        ("ASSISTANT_MAX_TOKENS", "0"),
        ("ASSISTANT_TEMPERATURE", "nan"),
        ("ASSISTANT_THREADS", "-1"),
        ("ASSISTANT_LOG_LEVEL", "loud"),
        ("ASSISTANT_MAX_BODY_BYTES", "1"),
        ("ASSISTANT_REQUEST_DEADLINE_SECONDS", "0"),
        ("ASSISTANT_RETENTION_DAYS", "1"),
        ("ASSISTANT_RETENTION_DAYS", "-1"),
        ("ASSISTANT_RETENTION_DAYS", "for ever"),
    ],
)
def test_wrong_setting(place: Place, name: str, value: str) -> None:
    place.set(**{name: value})
    line = problem()
    assert line.startswith(f"{name}: ")
    assert f"(example: {name}=" in line


@pytest.mark.parametrize("name", SECRET_FILES)
@pytest.mark.parametrize("content", [None, b"", b" \n"])
def test_missing_secret(place: Place, name: str, content: bytes | None) -> None:
    path = place.secrets / name
    path.unlink() if content is None else path.write_bytes(content)
    line = problem()
    assert line.startswith(f"{name}: ")
    assert str(path) in line


def test_keys_of_the_database_are_several_lines(place: Place) -> None:
    path = place.secrets / "database_encryption_key"
    keys = [base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2)]
    path.write_text("\n".join(keys))
    assert len(load_settings().keyring.identifiers) == 2
    path.write_text(f"{keys[0]}\nvalue of a key")
    line = problem()
    assert line.startswith("database_encryption_key: ")
    assert str(path) in line and "line 2" in line and "openssl rand -base64 32" in line


@pytest.mark.parametrize("content", [b"value of one\nvalue of two", b"\xff"])
def test_secret_file_of_a_wrong_kind(place: Place, content: bytes) -> None:
    (place.secrets / "api_token").write_bytes(content)
    assert problem().startswith("api_token: ")


def test_secret_of_a_channel_that_is_off_is_not_needed(place: Place) -> None:
    for name in SECRET_FILES:
        (place.secrets / name).unlink()
    place.set(
        ASSISTANT_FEISHU_ENABLED="false",
        ASSISTANT_TELEGRAM_ENABLED="false",
        ASSISTANT_API_ENABLED="false",
        ASSISTANT_WEB_CHAT_ENABLED="false",
    )
    assert load_settings().web_chat_streams == 0


def test_the_web_chat_is_open_only_when_that_is_said(place: Place) -> None:
    assert load_settings().web_chat_code == "value of web_chat_access_code"
    place.set(ASSISTANT_WEB_CHAT_ACCESS="Open")
    assert load_settings().web_chat_code == ""
    (place.secrets / "web_chat_access_code").unlink()
    assert load_settings().web_chat_code == ""
    place.set(ASSISTANT_WEB_CHAT_ACCESS="code")
    for name in ("web_chat_access_code", "openssl rand -hex 8", "ASSISTANT_WEB_CHAT_ACCESS=open"):
        assert name in problem()
    (place.secrets / "web_chat_access_code").write_text("seven77\n")
    assert problem().startswith("web_chat_access_code: ")
    place.set(ASSISTANT_WEB_CHAT_ACCESS="public")
    assert problem().startswith("ASSISTANT_WEB_CHAT_ACCESS: ")


def test_another_model_server_needs_no_model_file(place: Place) -> None:
    place.set(MODEL_PATH="", ASSISTANT_BACKEND_URL="https://models.example.org/v1/")
    settings = load_settings()
    assert settings.backend_url == "https://models.example.org/v1"
    assert settings.model_name == "remote"
    assert settings.secrets.get("backend_api_key") == ""
    (place.secrets / "backend_api_key").write_text("sk-1\n")
    assert load_settings().secrets.get("backend_api_key") == "sk-1"
    (place.secrets / "backend_api_key").write_text("value of 密钥\n")
    assert problem().startswith("backend_api_key: ")


def test_polling_needs_neither_address_nor_secret_token(place: Place) -> None:
    (place.secrets / "telegram_secret_token").unlink()
    place.set(ASSISTANT_TELEGRAM_MODE="polling", ASSISTANT_PUBLIC_URL="")
    assert load_settings().telegram_mode == "polling"


def test_a_long_connection_needs_the_apps_secret_alone(place: Place) -> None:
    place.set(ASSISTANT_FEISHU_MODE="Long_Connection")
    for name in ("feishu_encrypt_key", "feishu_verification_token"):
        (place.secrets / name).unlink()
    assert load_settings().feishu_mode == "long_connection"
    (place.secrets / "feishu_app_secret").unlink()
    assert problem().startswith("feishu_app_secret: this secret is missing")


def test_plain_events_are_chosen_in_place_of_the_encrypt_key(place: Place) -> None:
    key = place.secrets / "feishu_encrypt_key"
    place.set(ASSISTANT_FEISHU_PLAIN_EVENTS="true")
    assert problem().startswith("ASSISTANT_FEISHU_PLAIN_EVENTS: must be false while there is an Encrypt Key")
    key.unlink()
    assert load_settings().feishu_plain_events
    place.set(ASSISTANT_FEISHU_SIGNATURE_SCHEME="HMAC-SHA256")
    assert problem().startswith("ASSISTANT_FEISHU_PLAIN_EVENTS: must be false with ASSISTANT_FEISHU_SIGN")
    place.set(ASSISTANT_FEISHU_SIGNATURE_SCHEME="feishu", ASSISTANT_FEISHU_MAX_AGE_SECONDS="86400")
    assert problem().startswith("ASSISTANT_FEISHU_PLAIN_EVENTS: must be false with ASSISTANT_FEISHU_MAX_AGE")
    (place.secrets / "feishu_verification_token").unlink()
    place.set(ASSISTANT_FEISHU_MAX_AGE_SECONDS="0")
    assert problem().startswith("feishu_verification_token: ")


def test_a_gateways_signature_needs_the_key(place: Place) -> None:
    place.set(ASSISTANT_FEISHU_SIGNATURE_SCHEME="hmac-sha256", ASSISTANT_FEISHU_MAX_AGE_SECONDS="28800")
    assert load_settings().feishu_signature_scheme == "hmac-sha256"
    (place.secrets / "feishu_encrypt_key").unlink()
    assert problem().startswith("feishu_encrypt_key: ")


def test_database_url_from_a_file_wins(place: Place) -> None:
    place.set(ASSISTANT_DATABASE_URL="sqlite:////tmp/x.db")
    (place.secrets / "database_url").write_text("postgres://u:p@h/d\n")
    assert load_settings().database_url == "postgresql+psycopg://u:p@h/d"
    (place.secrets / "database_url").write_text("oracle://u:value of password@h/d\n")
    assert problem().startswith("database_url: ")


def test_unknown_setting_is_not_passed_over(place: Place) -> None:
    place.set(ASSISTANT_CONTEXT_TOKEN="512")
    assert (
        problem()
        == "ASSISTANT_CONTEXT_TOKEN: there is no such setting; did you mean ASSISTANT_CONTEXT_TOKENS?"
    )


def test_secret_as_a_variable_is_refused(place: Place) -> None:
    place.set(ASSISTANT_API_TOKEN="value of api_token")
    assert problem().startswith("ASSISTANT_API_TOKEN: a secret must not be an environment variable")


def test_a_model_that_does_not_fit_is_refused_before_anything_starts(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def too_large(path: Path, **settings: object) -> None:
        asked.update(settings, path=path)
        raise DoesNotFitHost("the model needs 4886 MiB")

    monkeypatch.setattr(settings_checks, "judge", too_large)
    place.set(ASSISTANT_PARALLEL="3", ASSISTANT_REPACK="ON")
    assert problem().startswith("MODEL_PATH: the model needs 4886 MiB")
    assert asked == {"path": place.model, "context_tokens": 2048, "parallel": 3, "repack": "on"}


def test_every_setting_has_an_example() -> None:
    names = {"MODEL_PATH" if n == "model_path" else f"ASSISTANT_{n.upper()}" for n in Settings.model_fields}
    assert names - set(module.EXAMPLES) == {"ASSISTANT_SYSTEM_PROMPT", "ASSISTANT_SECRETS"}
    assert set(module.EXAMPLES) <= names


@pytest.mark.parametrize(
    "command", [["-m", "assistant", "check"], ["-m", "gunicorn", "-c", "gunicorn.conf.py"]]
)
def test_process_ends_with_one_line(place: Place, command: list[str]) -> None:
    place.set(ASSISTANT_THREADS="x", PYTHONPATH=str(APP))
    done = subprocess.run([sys.executable, *command], cwd=APP, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert done.stderr.startswith("ASSISTANT_THREADS: ")
