"""Secrets: one file each, never environment variables, never printed."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr


class SecretFilesError(Exception):
    """A secret file cannot be read; the text is one line that names it."""


class Secrets(BaseModel):
    """The secrets' values; a name is also the name of its file."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    feishu_app_secret: SecretStr | None = None
    feishu_encrypt_key: SecretStr | None = None
    feishu_verification_token: SecretStr | None = None
    telegram_bot_token: SecretStr | None = None
    telegram_secret_token: SecretStr | None = None
    api_token: SecretStr | None = None
    web_chat_access_code: SecretStr | None = None
    backend_api_key: SecretStr | None = None
    candidate_api_token: SecretStr | None = None
    database_url: SecretStr | None = None
    database_encryption_key: SecretStr | None = None

    def get(self, name: str) -> str:
        """Return the secret ``name``, or an empty string when its file is missing or empty."""
        value = getattr(self, name)
        return value.get_secret_value() if isinstance(value, SecretStr) else ""


SECRET_NAMES = frozenset(Secrets.model_fields)
# A key that is replaced stays, in a line of its own, until nothing needs it any more.
SEVERAL_LINES = frozenset({"database_encryption_key"})


def read_secrets(directory: Path) -> Secrets:
    """Read every known secret that has a file in ``directory``.

    Raises:
        SecretFilesError: a file is there but cannot be read, or is not one line of text.
    """
    values: dict[str, SecretStr] = {}
    for name in sorted(SECRET_NAMES):
        path = directory / name
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except UnicodeDecodeError:
            raise SecretFilesError(f"{name}: the file {path} is not UTF-8 text") from None
        except OSError as error:
            raise SecretFilesError(
                f"{name}: the file {path} cannot be read: {error.strerror} "
                "(example: owner root, group 10001, mode 0440)"
            ) from None
        if len(text.splitlines()) > 1 and name not in SEVERAL_LINES:
            raise SecretFilesError(f"{name}: the file {path} must hold one line")
        if text:
            values[name] = SecretStr(text)
    return Secrets.model_validate(values)
