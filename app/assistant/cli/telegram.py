"""The command ``python -m assistant telegram``: can Telegram deliver what people write?

The deployment runs it when all is up, and an engineer on call when no messages come.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from telegram import WebhookInfo

from assistant.channels.base import SendError
from assistant.channels.telegram.client import TelegramClient
from assistant.channels.telegram.setup import is_registered, register, set_menu
from assistant.settings import Settings, SettingsError, load_settings

POLL_SECONDS = 2.0
# An older failure says nothing about updates that wait now.
RECENT_SECONDS = 3600.0


@dataclass
class Report:
    """What was found; ``problem`` is empty if all is well, ``registered`` whether something was put right."""

    url: str = ""
    waiting: int = 0
    registered: bool = False
    problem: str = ""


def run(*, seconds: float, as_json: bool) -> int:
    """Register webhook and menu where they are not, and watch whether Telegram gets through.

    Args:
        seconds: how long updates that wait may take to be delivered.
        as_json: print one JSON object instead of sentences.

    Returns:
        the exit status: 0 all is well, 1 not.
    """
    try:
        settings = load_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    if not settings.telegram_enabled:
        report = Report(problem="Telegram is switched off (assistant_telegram_enabled: false).")
    else:
        report = _look(settings, seconds)
    if as_json:
        print(json.dumps(asdict(report), ensure_ascii=False))
    elif report.problem:
        print(report.problem, file=sys.stderr)
    else:
        where = f"updates go to {report.url}" if report.url else "updates are fetched"
        done = "It was registered just now. " if report.registered else ""
        print(f"{done}All is well: {where}, {report.waiting} wait.")
    return 1 if report.problem else 0


def _look(settings: Settings, seconds: float) -> Report:
    polling = settings.telegram_mode == "polling"
    report = Report(url="" if polling else f"{settings.public_url}{settings.telegram_webhook_path}")
    secrets = settings.secrets
    client = TelegramClient(settings.telegram_base_url, secrets.get("telegram_bot_token"))
    try:
        begun = time.time()
        info = client.webhook()
        if not is_registered(info, report.url):
            register(client, report.url, secrets.get("telegram_secret_token"))
            report.registered = True
        set_menu(client)
        info = _watch(client, report.url, begun, seconds)
    except SendError as error:
        report.problem = _unreached(settings.telegram_base_url, error)
        return report
    finally:
        client.stop()
    report.waiting = info.pending_update_count
    report.problem = _problem(info, report.url, begun)
    return report


def _watch(client: TelegramClient, url: str, begun: float, seconds: float) -> WebhookInfo:
    """Wait until nothing waits at Telegram any more, or it is clear that nothing will be delivered."""
    deadline = time.monotonic() + seconds
    while True:
        info = client.webhook()
        settled = not url or not info.pending_update_count or _failed_at(info) > begun
        if settled or not is_registered(info, url) or time.monotonic() > deadline:
            return info
        time.sleep(POLL_SECONDS)


def _failed_at(info: WebhookInfo) -> float:
    return info.last_error_date.timestamp() if info.last_error_date else 0.0


def _unreached(base_url: str, error: SendError) -> str:
    if error.reason == "InvalidToken":
        return (
            "Telegram does not accept the bot's token: put the one that @BotFather gave (/token) into "
            "vault_telegram_bot_token."
        )
    return (
        f"Telegram's Bot API at {base_url} gives no useful answer ({error.reason}). Let this server reach it "
        "over HTTPS (DNS, firewall, assistant_extra_ca_certificates), or name another address in "
        "assistant_telegram_base_url. The assistant itself keeps trying every 30 seconds."
    )


def _problem(info: WebhookInfo, url: str, begun: float) -> str:
    if not is_registered(info, url):
        return (
            f"Telegram sends updates to {info.url or 'nowhere'} although {url or 'fetching'} was registered "
            "a moment ago: another program uses the same bot. Stop it, or make a bot of your own with "
            "@BotFather."
        )
    failed = _failed_at(info)
    stuck = info.pending_update_count and failed > begun - RECENT_SECONDS
    if url and (failed > begun or stuck):
        when = datetime.fromtimestamp(failed, UTC).isoformat(timespec="seconds")
        return (
            f"Telegram could not deliver to {url}: {info.last_error_message} ({when}; "
            f"{info.pending_update_count} updates wait, none is lost). The address must be reachable from "
            "the internet on port 443, 80, 88 or 8443 with a certificate of a public authority: look at "
            "proxy_domain, proxy_tls_mode, the firewall in front of the server and `journalctl -u nginx`."
        )
    return ""
