"""Who may ask, how much, and when: decided for each message before the model is asked."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from assistant.messages import Kind
from assistant.store import Claim
from assistant.store.people import People
from assistant.store.switches import MAINTENANCE, Switches
from assistant.texts import IN_MAINTENANCE, NOT_ALLOWED, TOO_FAST, TOO_MANY

MINUTE, DAY = 60.0, 86400.0
# How long an operator's switch may take until it is seen, in seconds; the database is asked so seldom.
SWITCH_SECONDS = 2.0


@dataclass(frozen=True)
class Rules:
    """What an operator allows.

    ``allowed`` names, for each platform, the people and chats that may ask; a platform that is not there is
    open to all. ``admins`` may ask at any time and as much as they like. The limits are for each person;
    0 is no limit.
    """

    allowed: Mapping[str, Collection[str]] = field(default_factory=dict)
    admins: Mapping[str, Collection[str]] = field(default_factory=dict)
    messages_per_minute: int = 0
    messages_per_day: int = 0


class Admission:
    """Applies the rules, and maintenance mode."""

    def __init__(
        self,
        rules: Rules,
        people: People,
        switches: Switches,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use ``rules``; ``people`` counts, ``switches`` knows whether there is maintenance."""
        self._rules, self._people, self._switches, self._clock = rules, people, switches, clock
        self._maintenance, self._looked_at = False, float("-inf")

    def is_admin(self, claim: Claim) -> bool:
        """Whether the claim's sender is an administrator."""
        return bool(claim.sender) and claim.sender in self._rules.admins.get(claim.platform, ())

    def maintenance(self) -> bool:
        """Whether the operators work on the assistant."""
        if self._clock() - self._looked_at > SWITCH_SECONDS:
            self._maintenance = self._switches.on_since(MAINTENANCE) is not None
            self._looked_at = self._clock()
        return self._maintenance

    def refusal(self, claim: Claim, language: str) -> str:
        """Return why the claim's message is not answered, in ``language``; empty if it is."""
        if self.is_admin(claim):
            return ""
        if not self._is_allowed(claim):
            # In a group everybody sees it: the chat's id is what the operators would need, too.
            return NOT_ALLOWED(language, sender=claim.sender or claim.chat)
        if claim.kind not in {Kind.CHAT, Kind.KNOWN}:
            return ""
        if self.maintenance():
            return IN_MAINTENANCE(language)
        return self._over_limit(claim, language)

    def _is_allowed(self, claim: Claim) -> bool:
        allowed = self._rules.allowed.get(claim.platform)
        # A topic or thread of a chat is "chat/topic".
        return allowed is None or not {claim.sender, claim.chat, claim.chat.partition("/")[0]}.isdisjoint(
            allowed
        )

    def _over_limit(self, claim: Claim, language: str) -> str:
        if not claim.sender:
            return ""
        minute, day = self._rules.messages_per_minute, self._rules.messages_per_day
        if minute and self._people.asked(claim, MINUTE) >= minute:
            return TOO_FAST(language, limit=minute)
        if day and self._people.asked(claim, DAY) >= day:
            return TOO_MANY(language, limit=day)
        return ""
