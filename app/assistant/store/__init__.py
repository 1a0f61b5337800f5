"""The store: the only place where state lives, so that the process may be killed at any instruction."""

from assistant.store.claims import Claim
from assistant.store.database import Database
from assistant.store.inbox import Inbox
from assistant.store.migrate import migrate
from assistant.store.outbox import Delivery, Outbox
from assistant.store.retention import Retention

__all__ = ["Claim", "Database", "Delivery", "Inbox", "Outbox", "Retention", "migrate"]
