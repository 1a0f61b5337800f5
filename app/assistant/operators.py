"""Word to the operators, in the chats that they chose for it."""

from assistant.logs import Log
from assistant.settings import Settings
from assistant.store.announcements import Announcements
from assistant.store.database import Database

log = Log(__name__)


def chats_of(settings: Settings) -> list[tuple[str, str]]:
    """Return where operators are told something: (platform, the platform's id of the chat).

    The chats that the settings name; where they name none, each administrator's own chat. A platform that is
    switched off has none: nobody would send what lay there.
    """
    enabled = {"feishu": settings.feishu_enabled, "telegram": settings.telegram_enabled}
    named = {"feishu": settings.operators_feishu_chat, "telegram": settings.operators_telegram_chat}
    chosen = [(platform, chat) for platform, chat in named.items() if chat]
    if not chosen:
        chosen = [(platform, person) for platform in named for person in sorted(settings.admins[platform])]
    return [(platform, chat) for platform, chat in chosen if enabled[platform]]


class Operators:
    """Tells the operators; what was told is committed, so that neither a kill nor an outage loses it.

    It works in any process that has the database, also in a command beside the live service, whose sender
    finds within a second what was put there.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        """Tell the chats of ``settings`` through the outbox in ``database``."""
        self._chats = chats_of(settings)
        self._announcements = Announcements(database)

    def announce(self, english: str, chinese: str, *, key: str = "") -> int:
        """Tell all operators, in one message with both languages.

        Args:
            english: the text; it must hold nothing of what people wrote.
            chinese: the same in Chinese.
            key: what was told under it is not told again (after a restart, by a second process); empty: it
                is told in any case.

        Returns:
            In how many chats; 0 where it was told before, or where there is no chat: then it is in the log.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used; nobody was told.
        """
        if not self._chats:
            log.warning(
                "operators are to be told something and no chat is set for it "
                "(assistant_operators_feishu_chat, assistant_operators_telegram_chat)",
                announcement=english,
            )
            return 0
        told = self._announcements.put(self._chats, f"{english}\n\n{chinese}", key)
        log.info("operators were told", announcement=english, chats=told)
        return told
