"""The throwaway machine's secrets: random, made once a machine, never in git."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _token(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def ensure_secrets(path: Path) -> dict[str, str]:
    """Return the machine's secrets, each made at the first call that misses it, kept in ``path`` (mode 0600).

    The shapes are those of the real platforms: a Feishu app id is ``cli_`` and 16 characters, a Telegram bot
    token ``<id>:<35 characters>`` (https://core.telegram.org/bots/api#authorizing-your-bot).
    """
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    made = {
        "feishu_app_id": "cli_" + _token(16).lower(),
        "feishu_app_secret": _token(32),
        "feishu_encrypt_key": _token(32),
        "feishu_verification_token": _token(32),
        "telegram_bot_token": f"{secrets.randbelow(9 * 10**9) + 10**9}:{_token(35)}",
        "telegram_secret_token": _token(48),
        "api_token": _token(48),
        "database_encryption_key": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    if made.keys() <= kept.keys():
        return kept
    made.update(kept)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(made, indent=2))
    return made
