"""Settings: typed, read once at start, wrong ones reported in one line."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from assistant.channels.feishu.choices import longer_than_repetitions, plain_events_problem
from assistant.inference.gguf import read_header
from assistant.inference.gguf_reader import GgufError
from assistant.inference.loading import judge
from assistant.secret_files import SECRET_NAMES, SecretFilesError, Secrets, read_secrets

PREFIX = "ASSISTANT_"
NO_MODEL = Path()
# gunicorn's code for "do not start me again": the whole process ends instead of trying for ever.
BOOT_ERROR = 3
DEFAULT_SYSTEM_PROMPT = (
    "You are a helpful assistant. Answer briefly, in the language of the question. "
    "你是一个乐于助人的助手。请用提问所用的语言简短作答。"
)
EXAMPLES = {
    "MODEL_PATH": "/models/model.gguf",
    "ASSISTANT_BACKEND_URL": "http://10.0.0.5:8000/v1",
    "ASSISTANT_BACKEND_MODEL": "qwen2.5-7b-instruct",
    "ASSISTANT_DATABASE_URL": "sqlite:////var/lib/ai-assistant/assistant.db",
    "ASSISTANT_PUBLIC_URL": "https://assistant.example.com",
    "ASSISTANT_FEISHU_ENABLED": "true",
    "ASSISTANT_FEISHU_APP_ID": "cli_a1b2c3d4e5f6",
    "ASSISTANT_FEISHU_BASE_URL": "https://open.feishu.cn",
    "ASSISTANT_FEISHU_MODE": "webhook",
    "ASSISTANT_FEISHU_SIGNATURE_SCHEME": "feishu",
    "ASSISTANT_FEISHU_PLAIN_EVENTS": "false",
    "ASSISTANT_FEISHU_MAX_AGE_SECONDS": "0",
    "ASSISTANT_TELEGRAM_ENABLED": "true",
    "ASSISTANT_TELEGRAM_MODE": "webhook",
    "ASSISTANT_TELEGRAM_BASE_URL": "https://api.telegram.org",
    "ASSISTANT_TELEGRAM_WEBHOOK_PATH": "/telegram/webhook",
    "ASSISTANT_WEB_CHAT_ENABLED": "true",
    "ASSISTANT_API_ENABLED": "false",
    "ASSISTANT_CONTEXT_TOKENS": "2048",
    "ASSISTANT_MAX_TOKENS": "256",
    "ASSISTANT_TEMPERATURE": "0.7",
    "ASSISTANT_THREADS": "0",
    "ASSISTANT_PARALLEL": "8",
    "ASSISTANT_REPACK": "auto",
    "ASSISTANT_LOCK_MEMORY": "false",
    "ASSISTANT_LOG_LEVEL": "info",
    "ASSISTANT_MAX_BODY_BYTES": "1048576",
    "ASSISTANT_REQUEST_DEADLINE_SECONDS": "120",
    "ASSISTANT_RETENTION_DAYS": "90",
    "ASSISTANT_SECRETS_DIR": "/run/secrets",
}
RESERVED_PATHS = ("/", "/v1", "/chat", "/static", "/feishu", "/healthz", "/readyz", "/metrics")


class SettingsError(Exception):
    """A setting is missing or wrong; the text is one line that names it and gives an example."""


def _web_address(name: str, value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{name} must be an http or https address without a query")
    return value.rstrip("/")


class Settings(BaseSettings):
    """Everything an operator can set, apart from secrets, which are files (see ``Secrets``).

    Units: tokens for ``context_tokens`` and ``max_tokens``, bytes for ``max_body_bytes``, seconds for
    ``request_deadline_seconds``. ``threads`` 0 means one for every core that this process may use.
    ``parallel`` is how many conversations are answered at once; ``context_tokens`` is each one's longest.
    ``backend_url`` empty means the model in ``model_path``, which is not needed otherwise.
    ``retention_days`` is after how many days what people wrote is deleted; 0 keeps it for ever.
    ``feishu_mode`` is how Feishu's events come: to the webhook, or over a connection opened from here.
    ``feishu_signature_scheme``, ``feishu_plain_events`` and ``feishu_max_age_seconds`` say which events are
    let in (``channels/feishu/gate.py``).
    ``repack`` and ``lock_memory`` say how the model gets into memory (``inference/loading.py``).
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True, frozen=True
    )

    model_path: Annotated[Path, Field(validation_alias="MODEL_PATH", validate_default=False)] = NO_MODEL
    backend_url: str = ""
    backend_model: str = ""
    database_url: str = "sqlite:////var/lib/ai-assistant/assistant.db"
    secrets_dir: Path = Path("/run/secrets")
    public_url: str = ""
    feishu_enabled: bool = False
    feishu_app_id: str = ""
    feishu_base_url: str = "https://open.feishu.cn"
    feishu_mode: Literal["webhook", "long_connection"] = "webhook"
    feishu_signature_scheme: Literal["feishu", "hmac-sha256"] = "feishu"
    feishu_plain_events: bool = False
    feishu_max_age_seconds: Annotated[int, Field(ge=0, le=604800)] = 0
    telegram_enabled: bool = False
    telegram_mode: Literal["webhook", "polling"] = "webhook"
    telegram_base_url: str = "https://api.telegram.org"
    telegram_webhook_path: str = "/telegram/webhook"
    web_chat_enabled: bool = True
    api_enabled: bool = True
    context_tokens: Annotated[int, Field(ge=256, le=131072)] = 2048
    max_tokens: Annotated[int, Field(ge=1, le=8192)] = 256
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.7
    threads: Annotated[int, Field(ge=0, le=512)] = 0
    parallel: Annotated[int, Field(ge=1, le=32)] = 4
    repack: Literal["auto", "on", "off"] = "auto"
    lock_memory: bool = False
    system_prompt: str = DEFAULT_SYSTEM_PROMPT
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 1048576
    request_deadline_seconds: Annotated[int, Field(ge=1, le=3600)] = 120
    retention_days: Annotated[int, Field(ge=0, le=36500)] = 90
    secrets: Annotated[Secrets, Field(validation_alias="__secrets__")] = Secrets()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read keyword arguments and environment variables only; secrets never come from variables."""
        return (init_settings, EnvSettingsSource(settings_cls))

    @field_validator("model_path")
    @classmethod
    def _is_gguf(cls, value: Path) -> Path:
        try:
            read_header(value)
        except GgufError as error:
            raise ValueError(f"{value} cannot be served: {error}") from None
        return value

    @field_validator("feishu_base_url", "telegram_base_url", "public_url", "backend_url")
    @classmethod
    def _is_web_address(cls, value: str, info: ValidationInfo) -> str:
        if info.field_name in {"public_url", "backend_url"} and not value:
            return value
        return _web_address("it", value)

    @field_validator("telegram_webhook_path")
    @classmethod
    def _is_path(cls, value: str) -> str:
        if not value.startswith("/") or any(c in value for c in "<>?# ") or value.endswith("/"):
            raise ValueError("must be a path that begins with / and does not end with /")
        if value in RESERVED_PATHS or value.startswith(("/v1/", "/chat/", "/static/", "/feishu/")):
            raise ValueError("this path already belongs to another part of the assistant")
        return value

    @field_validator(
        "log_level", "telegram_mode", "repack", "feishu_mode", "feishu_signature_scheme", mode="before"
    )
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("retention_days")
    @classmethod
    def _outlasts_repetitions(cls, value: int) -> int:
        if value == 1:
            raise ValueError("must be 0 (keep for ever) or at least 2: platforms repeat messages for hours")
        return value

    @field_validator("feishu_max_age_seconds")
    @classmethod
    def _lets_repetitions_in(cls, value: int) -> int:
        return longer_than_repetitions(value)

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        return normalise_database_url(value)

    @property
    def model_name(self) -> str:
        """What the API calls the model."""
        return self.backend_model or ("remote" if self.backend_url else self.model_path.resolve().stem)

    @property
    def api_calls(self) -> int:
        """How many API calls may wait for their answer, the running ones included; more are refused."""
        return self.parallel * 4

    @property
    def lease_seconds(self) -> float:
        """How long a claim on a conversation holds without a heartbeat, in seconds."""
        return 15.0


def normalise_database_url(value: str) -> str:
    """Return ``value`` with the driver this package ships.

    Raises:
        ValueError: it is neither SQLite nor PostgreSQL.
    """
    for scheme in ("postgresql://", "postgres://", "postgresql+psycopg://"):
        if value.startswith(scheme):
            return "postgresql+psycopg://" + value.removeprefix(scheme)
    if value.startswith("sqlite:///") and len(value) > len("sqlite:///"):
        return value
    raise ValueError("must begin with sqlite:/// or postgresql://")


def load_database_url(environ: Mapping[str, str] | None = None) -> str:
    """Return the database's address alone, for commands that need no model and no channel.

    Args:
        environ: the environment; None for the process's own.

    Raises:
        SettingsError: one line that names the setting, what is wrong and an example.
    """
    environ = os.environ if environ is None else environ
    name = f"{PREFIX}DATABASE_URL"
    try:
        secret = read_secrets(Path(environ.get(f"{PREFIX}SECRETS_DIR", "/run/secrets"))).get("database_url")
    except SecretFilesError as error:
        raise SettingsError(str(error)) from None
    value = secret or environ.get(name) or Settings.model_fields["database_url"].default
    try:
        return normalise_database_url(value)
    except ValueError as error:
        raise _complete("database_url" if secret else name, str(error)) from None


def _complete(name: str, problem: str) -> SettingsError:
    example = EXAMPLES.get(name)
    return SettingsError(f"{name}: {problem}" + (f" (example: {name}={example})" if example else ""))


def _unknown(environ: Mapping[str, str]) -> SettingsError | None:
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} - {f"{PREFIX}MODEL_PATH"}
    for name in sorted(environ):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known - {f"{PREFIX}SECRETS"}:
            continue
        if upper.removeprefix(PREFIX).lower() in SECRET_NAMES and not upper.endswith("DATABASE_URL"):
            return SettingsError(
                f"{name}: a secret must not be an environment variable; put it into the file "
                f"{upper.removeprefix(PREFIX).lower()} in ASSISTANT_SECRETS_DIR"
            )
        near = difflib.get_close_matches(upper, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return SettingsError(f"{name}: there is no such setting{hint}")
    return None


def _cross_checks(settings: Settings) -> None:
    secrets = settings.secrets
    if settings.model_path == NO_MODEL and not settings.backend_url:
        raise _complete("MODEL_PATH", "is not set, and neither is ASSISTANT_BACKEND_URL")
    if not secrets.get("backend_api_key").isascii() or " " in secrets.get("backend_api_key"):
        raise SettingsError(
            f"backend_api_key: the file {settings.secrets_dir / 'backend_api_key'} must hold the key alone, "
            "in letters, digits and signs without a space (example: sk-0123456789abcdef)"
        )
    if settings.feishu_enabled and not settings.feishu_app_id:
        raise _complete("ASSISTANT_FEISHU_APP_ID", "is needed while ASSISTANT_FEISHU_ENABLED is true")
    if settings.feishu_enabled and settings.feishu_plain_events:
        problem = plain_events_problem(
            settings.feishu_signature_scheme,
            settings.feishu_max_age_seconds,
            has_key=bool(secrets.get("feishu_encrypt_key")),
        )
        if problem:
            raise _complete("ASSISTANT_FEISHU_PLAIN_EVENTS", problem)
    needed = {
        "ASSISTANT_FEISHU_ENABLED": (
            settings.feishu_enabled,
            _feishu_secrets(settings),
        ),
        "ASSISTANT_TELEGRAM_ENABLED": (
            settings.telegram_enabled,
            ("telegram_bot_token", "telegram_secret_token")
            if settings.telegram_mode == "webhook"
            else ("telegram_bot_token",),
        ),
        "ASSISTANT_API_ENABLED": (settings.api_enabled, ("api_token",)),
    }
    for switch, (enabled, names) in needed.items():
        for name in names:
            if enabled and not secrets.get(name):
                raise SettingsError(
                    f"{name}: this secret is missing or empty and is needed while {switch} is true "
                    f"(example: write it into the file {settings.secrets_dir / name})"
                )
    if settings.telegram_enabled and settings.telegram_mode == "webhook":
        if not settings.public_url:
            raise _complete("ASSISTANT_PUBLIC_URL", "is needed for Telegram's webhook mode")
        if not settings.public_url.startswith("https://"):
            raise _complete("ASSISTANT_PUBLIC_URL", "must begin with https:// for Telegram's webhook mode")
    if not settings.backend_url:
        _model_fits(settings)
    if settings.max_tokens > settings.context_tokens // 2:
        raise _complete(
            "ASSISTANT_MAX_TOKENS",
            f"is {settings.max_tokens}, which is more than half of "
            f"ASSISTANT_CONTEXT_TOKENS ({settings.context_tokens})",
        )


def _feishu_secrets(settings: Settings) -> tuple[str, ...]:
    if settings.feishu_mode == "long_connection":
        # The connection is opened with the app's secret; what comes over it is neither encrypted nor signed.
        return ("feishu_app_secret",)
    if settings.feishu_plain_events:
        return ("feishu_app_secret", "feishu_verification_token")
    return ("feishu_app_secret", "feishu_encrypt_key", "feishu_verification_token")


def _model_fits(settings: Settings) -> None:
    """Refuse a model that needs more memory than there is, before anything is loaded."""
    try:
        judge(
            settings.model_path,
            context_tokens=settings.context_tokens,
            parallel=settings.parallel,
            repack=settings.repack,
        )
    except ValueError as error:
        raise _complete("MODEL_PATH", str(error)) from None


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check all settings.

    Args:
        environ: only looked at for unknown names; values are read from the process environment.

    Raises:
        SettingsError: one line that names the setting, what is wrong and an example.
    """
    environ = os.environ if environ is None else environ
    if (unknown := _unknown(environ)) is not None:
        raise unknown
    directory = Path(environ.get(f"{PREFIX}SECRETS_DIR", "/run/secrets"))
    try:
        secrets = read_secrets(directory)
        extra: dict[str, object] = {"__secrets__": secrets}
        if secrets.database_url:
            extra["database_url"] = normalise_database_url(secrets.get("database_url"))
    except (SecretFilesError, ValueError) as error:
        raise SettingsError(
            f"database_url: {error}" if isinstance(error, ValueError) else str(error)
        ) from None
    try:
        settings = Settings(**extra)  # type: ignore[arg-type]  # pydantic judges it
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = str(first["loc"][0])
        name = "MODEL_PATH" if field in {"model_path", "MODEL_PATH"} else f"{PREFIX}{field.upper()}"
        problem = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "missing":
            problem = "is not set"
        raise _complete(name, " ".join(problem.split())) from None
    _cross_checks(settings)
    return settings
