"""What people may ask the assistant itself, without the model: /reset, /language, /feedback, /status."""

from collections.abc import Callable

from assistant.admission import DAY, Admission
from assistant.messages import Kind
from assistant.store import Claim, Outbox
from assistant.store.people import People
from assistant.store.ratings import Ratings
from assistant.texts import (
    ADMINS_ONLY,
    FEEDBACK_THANKS,
    FEEDBACK_USAGE,
    FIXED,
    LANGUAGE_AUTO,
    LANGUAGE_SET,
    LANGUAGE_USAGE,
    NOT_READY,
    OFF,
    ON,
    READY,
    RESET,
    STATUS,
    argument_of,
)

LANGUAGES = {
    "en": "en",
    "english": "en",
    "英文": "en",
    "英语": "en",
    "zh": "zh",
    "cn": "zh",
    "chinese": "zh",
    "中文": "zh",
    "汉语": "zh",
    "auto": "",
    "自动": "",
}
WEEK = 7 * DAY


class Commands:
    """Answers every kind of message but those for the model."""

    def __init__(
        self,
        admission: Admission,
        people: People,
        ratings: Ratings,
        outbox: Outbox,
        *,
        platforms: Callable[[], list[str]],
        model: str,
        ready: Callable[[], bool],
    ) -> None:
        """Use the parts that know; ``ready`` says whether the model called ``model`` answers."""
        self._admission, self._people, self._ratings, self._outbox = admission, people, ratings, outbox
        self._platforms, self._model, self._ready = platforms, model, ready

    def answer(self, claim: Claim, language: str) -> str:
        """Do what the claim's command says; returns the reply in ``language`` (en, zh or empty for both)."""
        argument = argument_of(claim.text)
        if claim.kind is Kind.RESET:
            self._people.begin_anew(claim)
            return RESET(language)
        if claim.kind is Kind.LANGUAGE:
            return self._language(claim, argument, language)
        if claim.kind is Kind.FEEDBACK:
            if not argument:
                return FEEDBACK_USAGE(language)
            self._people.add_feedback(claim, argument)
            return FEEDBACK_THANKS(language)
        if claim.kind is Kind.STATUS:
            return self._status(language) if self._admission.is_admin(claim) else ADMINS_ONLY(language)
        return FIXED[claim.kind](language)

    def _language(self, claim: Claim, argument: str, language: str) -> str:
        if argument.lower() not in LANGUAGES:
            return LANGUAGE_USAGE(language)
        chosen = LANGUAGES[argument.lower()]
        self._people.choose_language(claim, chosen)
        return LANGUAGE_SET(chosen) if chosen else LANGUAGE_AUTO(claim.hint)

    def _status(self, language: str) -> str:
        satisfaction = self._ratings.satisfaction(WEEK)
        ratings, good = sum(s.ratings for s in satisfaction), sum(s.good for s in satisfaction)
        return STATUS(
            language,
            model=self._model,
            ready=(READY if self._ready() else NOT_READY)(language or "en"),
            waiting=self._people.waiting(),
            unsent=self._outbox.waiting(self._platforms()),
            dead=self._outbox.dead_letters(),
            ratings=ratings,
            csat=round(100 * good / ratings) if ratings else 0,
            maintenance=(ON if self._admission.maintenance() else OFF)(language or "en"),
        )
