"""Checks of settings against each other and against the host."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.channels.feishu.choices import plain_events_problem
from assistant.inference.loading import judge
from assistant.secret_files import Secrets
from assistant.settings_errors import SettingsError, complete
from assistant.store.keyring import SECRET, Keyring, KeysError

if TYPE_CHECKING:
    from assistant.settings import Settings

Network = IPv4Network | IPv6Network
NO_MODEL = Path()
SHORTEST_ACCESS_CODE = 8


def networks_in(value: str) -> tuple[Network, ...]:
    """Return the networks in ``value``, which are separated by commas.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


def file_in_a_folder(value: str) -> str:
    """Return ``value``, the path of a file that need not be there; raises ValueError without its folder."""
    if value and not (Path(value).is_absolute() and Path(value).parent.is_dir()):
        raise ValueError("must be a file's whole path, in a folder that is there")
    return value


def keyring_of(secrets: Secrets, directory: Path) -> Keyring:
    """Return the keys in ``secrets``, which were read from ``directory``.

    Raises:
        SettingsError: a line of the file is no key.
    """
    try:
        return Keyring.parse(secrets.get(SECRET))
    except KeysError as error:
        raise SettingsError(f"{SECRET}: the file {directory / SECRET}: {error}") from None


def cross_checks(settings: "Settings") -> None:
    """Raise ``SettingsError`` when two settings do not go together, or a secret that one needs is missing."""
    secrets = settings.secrets
    if settings.model_path == NO_MODEL and not settings.backend_url:
        raise complete("MODEL_PATH", "is not set, and neither is ASSISTANT_BACKEND_URL")
    if not secrets.get("backend_api_key").isascii() or " " in secrets.get("backend_api_key"):
        raise SettingsError(
            f"backend_api_key: the file {settings.secrets_dir / 'backend_api_key'} must hold the key alone, "
            "in letters, digits and signs without a space (example: sk-0123456789abcdef)"
        )
    keyring_of(secrets, settings.secrets_dir)
    if settings.feishu_enabled and not settings.feishu_app_id:
        raise complete("ASSISTANT_FEISHU_APP_ID", "is needed while ASSISTANT_FEISHU_ENABLED is true")
    if settings.feishu_enabled and settings.feishu_plain_events:
        problem = plain_events_problem(
            settings.feishu_signature_scheme,
            settings.feishu_max_age_seconds,
            has_key=bool(secrets.get("feishu_encrypt_key")),
        )
        if problem:
            raise complete("ASSISTANT_FEISHU_PLAIN_EVENTS", problem)
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
    if settings.web_chat_enabled and settings.web_chat_access == "code":
        _has_access_code(settings)
    if settings.telegram_enabled and settings.telegram_mode == "webhook":
        if not settings.public_url:
            raise complete("ASSISTANT_PUBLIC_URL", "is needed for Telegram's webhook mode")
        if not settings.public_url.startswith("https://"):
            raise complete("ASSISTANT_PUBLIC_URL", "must begin with https:// for Telegram's webhook mode")
    if not settings.backend_url:
        _model_fits(settings)
    if settings.max_tokens > settings.context_tokens // 2:
        raise complete(
            "ASSISTANT_MAX_TOKENS",
            f"is {settings.max_tokens}, which is more than half of "
            f"ASSISTANT_CONTEXT_TOKENS ({settings.context_tokens})",
        )


def _feishu_secrets(settings: "Settings") -> tuple[str, ...]:
    if settings.feishu_mode == "long_connection":
        # The connection is opened with the app's secret; what comes over it is neither encrypted nor signed.
        return ("feishu_app_secret",)
    if settings.feishu_plain_events:
        return ("feishu_app_secret", "feishu_verification_token")
    return ("feishu_app_secret", "feishu_encrypt_key", "feishu_verification_token")


def _has_access_code(settings: "Settings") -> None:
    if len(settings.web_chat_code) < SHORTEST_ACCESS_CODE:
        raise SettingsError(
            "web_chat_access_code: this secret is missing or has fewer than "
            f"{SHORTEST_ACCESS_CODE} characters; the web chat asks people for it (example: write what "
            f"`openssl rand -hex 8` prints into the file {settings.secrets_dir / 'web_chat_access_code'}; "
            "or let everybody in with ASSISTANT_WEB_CHAT_ACCESS=open, or switch it off with "
            "ASSISTANT_WEB_CHAT_ENABLED=false)"
        )


def _model_fits(settings: "Settings") -> None:
    """Refuse a model that needs more memory than there is, before anything is loaded."""
    try:
        judge(
            settings.model_path,
            context_tokens=settings.context_tokens,
            parallel=settings.parallel,
            repack=settings.repack,
        )
    except ValueError as error:
        raise complete("MODEL_PATH", str(error)) from None
