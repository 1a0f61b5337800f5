"""What the model is told for one answer: the system prompt, what was said before, and the question."""

from assistant.logs import Log
from assistant.messages import Turn
from assistant.store import Claim, Inbox
from assistant.store.keyring import UnreadableError

log = Log(__name__)
HISTORY_TURNS = 40


class Dialogue:
    """Puts the turns of a message together."""

    def __init__(self, inbox: Inbox, system_prompt: str, context_seconds: float) -> None:
        """Look back ``context_seconds`` into a conversation in ``inbox``, 0 for all of it."""
        self._inbox = inbox
        self._system = Turn("system", system_prompt)
        self._context_seconds = context_seconds

    def turns(self, claim: Claim) -> list[Turn]:
        """Return the turns up to the claimed message; an API call brings its own."""
        given = claim.payload.get("messages")
        if given:
            turns = [Turn(m["role"], m["content"]) for m in given]
            return turns if turns[0].role == "system" else [self._system, *turns]
        return [self._system, *self._history(claim), Turn("user", claim.text)]

    def _history(self, claim: Claim) -> list[Turn]:
        try:
            return self._inbox.history(claim, HISTORY_TURNS, self._context_seconds)
        except UnreadableError as error:
            # An answer that knows nothing of before is better than none.
            log.error("a conversation's history cannot be read", inbox_id=claim.inbox_id, reason=str(error))
            return []
