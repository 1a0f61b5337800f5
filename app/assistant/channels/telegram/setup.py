"""What Telegram must know of the bot: where updates go, and its menu of commands."""

from telegram import WebhookInfo

from assistant.channels.telegram.client import ALLOWED_UPDATES, TelegramClient
from assistant.texts import MENU


def is_registered(info: WebhookInfo, url: str) -> bool:
    """Whether updates of the kinds that are read go to ``url``; empty for none at all (polling)."""
    if info.url != url:
        return False
    return not url or set(info.allowed_updates or ()) == set(ALLOWED_UPDATES)


def register(client: TelegramClient, url: str, secret_token: str) -> None:
    """Have updates sent to ``url``, or none at all if it is empty; what waits there is kept.

    Raises:
        PermanentError, TransientError: it did not work.
    """
    if url:
        client.set_webhook(url, secret_token)
    else:
        # Telegram refuses getUpdates while a webhook is set.
        client.delete_webhook()


def set_menu(client: TelegramClient) -> None:
    """Show the menu of commands, in Chinese to those who use Telegram in Chinese, else in English.

    Raises:
        PermanentError, TransientError: it did not work.
    """
    client.set_menu([(name, english) for name, english, _ in MENU])
    client.set_menu([(name, chinese) for name, _, chinese in MENU], "zh")
