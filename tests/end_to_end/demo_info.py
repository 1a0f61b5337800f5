"""What ``make -s demo-info`` prints: addresses and secrets of the throwaway machine."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_HINT = "write it anew with: make -s demo-info"


class DemoInfoError(Exception):
    """The demo's description cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class DemoInfo:
    """The part of the description that a conversation needs."""

    https_url: str
    ca_file: str
    app_id: str
    encrypt_key: str
    verification_token: str
    feishu_emulator: str
    secret_token: str
    webhook_path: str
    telegram_emulator: str

    def tls(self) -> ssl.SSLContext:
        """Trust the demo's own certificate authority and nothing else.

        Raises:
            DemoInfoError: when the file cannot be read.
        """
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise DemoInfoError(
                f"ca_file {self.ca_file} is no readable PEM certificate: {error}; {_HINT}"
            ) from error


def read(source: str) -> DemoInfo:
    """Read the description.

    Args:
        source: path of a JSON file, or ``-`` for standard input.

    Returns:
        the description.

    Raises:
        DemoInfoError: when it cannot be read or lacks something.
    """
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        document = json.loads(text)
    except OSError as error:
        raise DemoInfoError(f"cannot read {source}: {error.strerror}; {_HINT}") from error
    except ValueError as error:
        name = "standard input" if source == "-" else source
        raise DemoInfoError(f"{name} is not valid JSON ({error}); {_HINT}") from error

    def value(*keys: str) -> str:
        found: object = document
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        if not isinstance(found, str) or not found:
            raise DemoInfoError(f"the description lacks the text {'.'.join(keys)}; {_HINT}")
        return found

    return DemoInfo(
        https_url=value("https_url").rstrip("/"),
        ca_file=value("ca_file"),
        app_id=value("feishu", "app_id"),
        encrypt_key=value("feishu", "encrypt_key"),
        verification_token=value("feishu", "verification_token"),
        feishu_emulator=value("feishu", "emulator_url").rstrip("/"),
        secret_token=value("telegram", "secret_token"),
        webhook_path=value("telegram", "webhook_path"),
        telegram_emulator=value("telegram", "emulator_url").rstrip("/"),
    )
