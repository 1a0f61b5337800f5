"""Settings: typed, read once at start, wrong ones reported in one line."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from assistant.answers.pinned import Pin, read_pins
from assistant.channels.feishu.choices import longer_than_repetitions
from assistant.inference.gguf import read_header
from assistant.inference.gguf_reader import GgufError
from assistant.secret_files import SECRET_NAMES, SecretFilesError, Secrets, read_secrets
from assistant.settings_checks import (
    NO_MODEL,
    Network,
    cross_checks,
    file_in_a_folder,
    keyring_of,
    networks_in,
)
from assistant.settings_errors import EXAMPLES, SettingsError, complete
from assistant.store.keyring import Keyring

__all__ = ["EXAMPLES", "Settings", "SettingsError", "load_database_url", "load_settings"]

PREFIX = "ASSISTANT_"
WEB_CHAT_STREAMS = 16
# They cost a thread each, which is made when it is needed.
API_FOLLOWERS = 128
# gunicorn's code for "do not start me again": the whole process ends instead of trying for ever.
BOOT_ERROR = 3
DEFAULT_SYSTEM_PROMPT = (
    "You are a helpful assistant. Answer briefly, in the language of the question. "
    "你是一个乐于助人的助手。请用提问所用的语言简短作答。"
)
PERSONS = {
    "feishu": ("Feishu's ids (a person is ou_..., a chat oc_...)", re.compile(r"o[uc]_[A-Za-z0-9]+")),
    "telegram": ("Telegram's numbers (a person is above 0, a group below)", re.compile(r"-?[1-9][0-9]*")),
}
RESERVED_PATHS = (
    "/",
    "/v1",
    "/chat",
    "/static",
    "/feishu",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
)


def _names(value: str) -> frozenset[str]:
    return frozenset(filter(None, (name.strip() for name in value.split(","))))


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
    ``feishu_allowed`` and ``telegram_allowed`` list the people and chats that may ask, separated by commas;
    empty is everybody. ``feishu_admins`` and ``telegram_admins`` list people. ``operators_feishu_chat`` and
    ``operators_telegram_chat`` are told what operators have to know. ``messages_per_minute`` and
    ``messages_per_day`` are limits for each person, 0 for none. The model is told of the last
    ``context_hours`` of a conversation, 0 for all of it. Who waits for ``notice_seconds`` is told so, 0 for
    never. A conversation's first question that was answered in the last ``answer_cache_seconds`` gets the
    same answer, 0 for never; ``answer_cache_entries`` and ``answer_cache_bytes`` bound how many are kept, and
    ``answer_cache_api`` says which API calls are answered so. ``evaluation_uses_conversations`` lets
    evaluations ask a model what people asked. ``rollout_state_file`` is for the host's agent.
    ``pinned_answers_file`` holds the operators' own answers (``answers/pinned.py``).
    ``log_text`` puts what people write and are answered into the log, masked. From ``trusted_proxies``
    (networks, separated by commas) comes what is believed about who asks, and a request's id.
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
    trusted_proxies: str = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
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
    web_chat_access: Literal["code", "open"] = "code"
    api_enabled: bool = True
    context_tokens: Annotated[int, Field(ge=256, le=131072)] = 2048
    max_tokens: Annotated[int, Field(ge=1, le=8192)] = 256
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.7
    threads: Annotated[int, Field(ge=0, le=512)] = 0
    parallel: Annotated[int, Field(ge=1, le=32)] = 4
    repack: Literal["auto", "on", "off"] = "auto"
    lock_memory: bool = False
    system_prompt: str = DEFAULT_SYSTEM_PROMPT
    log_text: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 1048576
    request_deadline_seconds: Annotated[int, Field(ge=1, le=3600)] = 120
    retention_days: Annotated[int, Field(ge=0, le=36500)] = 90
    feishu_allowed: str = ""
    feishu_admins: str = ""
    telegram_allowed: str = ""
    telegram_admins: str = ""
    operators_feishu_chat: str = ""
    operators_telegram_chat: str = ""
    messages_per_minute: Annotated[int, Field(ge=0, le=100000)] = 0
    messages_per_day: Annotated[int, Field(ge=0, le=1000000)] = 0
    context_hours: Annotated[int, Field(ge=0, le=87600)] = 24
    answer_cache_seconds: Annotated[int, Field(ge=0, le=604800)] = 3600
    answer_cache_entries: Annotated[int, Field(ge=1, le=1000000)] = 1000
    answer_cache_bytes: Annotated[int, Field(ge=65536, le=1073741824)] = 16777216
    answer_cache_api: Literal["off", "deterministic", "all"] = "deterministic"
    pinned_answers_file: str = ""
    evaluation_uses_conversations: bool = False
    rollout_state_file: Annotated[str, AfterValidator(file_in_a_folder)] = ""
    notice_seconds: Annotated[int, Field(ge=0, le=3600)] = 20
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

    @field_validator("feishu_allowed", "feishu_admins", "telegram_allowed", "telegram_admins")
    @classmethod
    def _is_list(cls, value: str, info: ValidationInfo) -> str:
        kind, form = PERSONS[str(info.field_name).partition("_")[0]]
        for name in _names(value):
            if not form.fullmatch(name):
                raise ValueError(f"'{name}' is none of {kind}; separate several by commas")
        return value

    @field_validator("operators_feishu_chat", "operators_telegram_chat")
    @classmethod
    def _is_chat(cls, value: str, info: ValidationInfo) -> str:
        kind, form = PERSONS[str(info.field_name).split("_")[1]]
        if value and not form.fullmatch(value):
            raise ValueError(f"'{value}' is none of {kind}; name one chat")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        networks_in(value)
        return value

    @field_validator("telegram_webhook_path")
    @classmethod
    def _is_path(cls, value: str) -> str:
        if not value.startswith("/") or any(c in value for c in "<>?# ") or value.endswith("/"):
            raise ValueError("must be a path that begins with / and does not end with /")
        if value in RESERVED_PATHS or value.startswith(("/v1/", "/chat/", "/static/", "/feishu/")):
            raise ValueError("this path already belongs to another part of the assistant")
        return value

    @field_validator(
        "log_level",
        "telegram_mode",
        "web_chat_access",
        "answer_cache_api",
        "repack",
        "feishu_mode",
        "feishu_signature_scheme",
        mode="before",
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

    @field_validator("pinned_answers_file")
    @classmethod
    def _has_answers(cls, value: str) -> str:
        if value:
            read_pins(Path(value))
        return value

    @property
    def pinned_answers(self) -> list[Pin]:
        """The operator's own answers."""
        return read_pins(Path(self.pinned_answers_file)) if self.pinned_answers_file else []

    @property
    def keyring(self) -> Keyring:
        """The keys for what people wrote."""
        return keyring_of(self.secrets, self.secrets_dir)

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """Where the proxy is that may say who asks."""
        return networks_in(self.trusted_proxies)

    @property
    def model_name(self) -> str:
        """What the API calls the model."""
        return self.backend_model or ("remote" if self.backend_url else self.model_path.resolve().stem)

    @property
    def allowed(self) -> dict[str, frozenset[str]]:
        """Who may ask, by platform; a platform that is open to all is not in it."""
        found = {"feishu": _names(self.feishu_allowed), "telegram": _names(self.telegram_allowed)}
        return {platform: names for platform, names in found.items() if names}

    @property
    def admins(self) -> dict[str, frozenset[str]]:
        """The administrators, by platform."""
        return {"feishu": _names(self.feishu_admins), "telegram": _names(self.telegram_admins)}

    @property
    def api_calls(self) -> int:
        """How many API calls may wait for their answer, the running ones included; more are refused."""
        return self.parallel * 4

    @property
    def api_followers(self) -> int:
        """How many API calls may wait for the answer that another one gets to the same question."""
        return API_FOLLOWERS if self.api_enabled and self.answer_cache_seconds else 0

    @property
    def web_chat_streams(self) -> int:
        """How many answers may be streamed to pages at once; further pages ask for theirs now and then."""
        return WEB_CHAT_STREAMS if self.web_chat_enabled else 0

    @property
    def web_chat_code(self) -> str:
        """The web chat's access code, or an empty string where it is open."""
        return self.secrets.get("web_chat_access_code") if self.web_chat_access == "code" else ""

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
        raise complete("database_url" if secret else name, str(error)) from None


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
        raise complete(name, " ".join(problem.split())) from None
    cross_checks(settings)
    return settings
