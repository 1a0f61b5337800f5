"""What is known without the model, by question: pinned answers first, then those given before.

Only the first question of a conversation is looked for, and only where nothing but the service's own
instructions came before it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from assistant.answers.cache import AnswerCache
from assistant.answers.flights import Flight, Flights
from assistant.answers.pinned import Pinned
from assistant.answers.question import Scope, key_of, normalised
from assistant.inference.backend import Completion, Options
from assistant.messages import API
from assistant.metrics.labels import STABLE
from assistant.texts import language_of

Source = Literal["hit", "pinned"]
# How long an API call trusts that an answer's message was not deleted meanwhile, in seconds.
TRUSTED_SECONDS = 1.0
# The choice of a call's header Cache-Control, in its payload.
CHOICE = "cache"
NO_CACHE, NO_STORE = "no-cache", "no-store"


@dataclass(frozen=True)
class Asked:
    """A first question without context.

    ``read``: an answer that was given before will do; ``store``: the answer may be kept; without either it
    is only looked for among the pinned ones.
    """

    key: bytes
    question: str
    language: str
    read: bool
    store: bool
    pinned: bool = True


@dataclass(frozen=True)
class Known:
    """An answer, and where it comes from."""

    text: str
    source: Source


@dataclass(frozen=True)
class Basis:
    """What answers are made with.

    ``model`` names the model so that another one, or another state of its file, has another name; ``tenants``
    is for whom each channel answers; ``api`` says which calls are answered so: ``off``, ``deterministic``
    (temperature 0) or ``all``.
    """

    model: Callable[[], str]
    system_prompt: str
    options: Options
    tenants: Mapping[str, str] = field(default_factory=dict)
    api: Literal["off", "deterministic", "all"] = "deterministic"


class Answers:
    """Pinned answers, the answer cache and the questions that are being answered; safe on all threads."""

    def __init__(self, basis: Basis, cache: AnswerCache | None = None, pinned: Pinned | None = None) -> None:
        """Answer on ``basis``."""
        self._basis = basis
        # An empty cache is false.
        self.cache = AnswerCache(0) if cache is None else cache
        self.pinned, self.flights = pinned or Pinned(), Flights()
        self._prompt = _prompt(basis.system_prompt, basis.options, {})

    def of_message(
        self, platform: str, text: str, *, chosen: str = "", hint: str = "", arm: str = STABLE
    ) -> Asked:
        """Return the first question ``text`` of a conversation.

        Args:
            platform: the channel's name.
            text: what the person wrote.
            chosen: the language that was chosen for the conversation; a pinned answer follows it.
            hint: what the platform knows of the person's language.
            arm: which model answers the conversation; what a candidate says is neither kept nor replaced by
                what another model has said.
        """
        question = normalised(text)
        kept = self.cache.on and arm == STABLE
        key = self._key(platform, question, language_of(text, "", hint), self._prompt)
        return Asked(key, question, language_of(text, chosen, hint), read=kept, store=kept)

    def of_call(self, payload: Mapping[str, Any], arm: str = STABLE) -> Asked | None:
        """Return the question of an API call; None where its answer needs context, or the caller wants none.

        A system message of the caller's own is a prompt of its own: its answers are kept apart, and pinned
        answers are not for it.
        """
        messages, choice = payload.get("messages") or [], payload.get(CHOICE)
        own = messages[0]["content"] if messages and messages[0]["role"] == "system" else None
        if self._basis.api == "off" or choice == NO_STORE or len(messages) != (1 if own is None else 2):
            return None
        text = messages[-1]["content"]
        question = normalised(text)
        sure = float(payload.get("temperature", self._basis.options.temperature)) == 0.0
        kept = self.cache.on and arm == STABLE and (sure or self._basis.api == "all")
        language = language_of(text)
        prompt = self._prompt
        if own is not None or len(payload) > 1 + ("user" in payload):
            prompt = _prompt(self._basis.system_prompt if own is None else own, self._basis.options, payload)
        return Asked(
            self._key(API, question, language, prompt),
            question,
            language,
            read=kept and choice != NO_CACHE,
            store=kept,
            pinned=own is None and choice != NO_CACHE and not payload.get("json_object"),
        )

    def may_know(self, asked: Asked) -> bool:
        """Whether there is an answer to ``asked``, or soon will be, without another generation."""
        if asked.pinned and self.pinned.find(asked.question) is not None:
            return True
        return asked.read and (self.cache.knows(asked.key) or self.flights.in_the_air(asked.key))

    def known(self, asked: Asked, number: int = 0) -> Known | None:
        """Return the answer to ``asked`` for the message ``number`` (0: an API call), if there is one."""
        if asked.pinned and (pin := self.pinned.find(asked.question)) is not None:
            if not number:
                self.pinned.count(pin)
            return Known(pin.answer(asked.language), "pinned")
        if not asked.read:
            return None
        if number and (completion := self.flights.handed(number)) is not None:
            return Known(completion.text, "hit")
        text = self.cache.get(asked.key, number, trusted_seconds=0.0 if number else TRUSTED_SECONDS)
        return None if text is None else Known(text, "hit")

    def board(self, asked: Asked, owner: object, number: int = 0) -> Flight | None:
        """Join those for whom the same question is being answered; None: ``owner`` has it answered now."""
        return self.flights.board(asked.key, owner, number) if asked.read else None

    def land(self, asked: Asked, owner: object, completion: Completion | None = None) -> list[int]:
        """End what ``owner`` had answered; returns the messages that waited for it."""
        whole = completion if completion is not None and completion.text else None
        if whole is not None and whole.finish_reason == "cancelled":
            whole = None
        return self.flights.land(asked.key, owner, whole)

    def keep(self, asked: Asked, completion: Completion, number: int) -> None:
        """Keep what the model answered to the message ``number``; what was cut is not kept."""
        if asked.store and completion.finish_reason == "stop":
            self.cache.put(asked.key, completion.text, number)

    def found_bad(self, platform: str, text: str, hint: str, seconds: float) -> None:
        """Forget what was kept for ``text``: an answer to it was rated bad ``seconds`` ago, in any process.

        A younger answer stays; see ``of_message`` for the rest.
        """
        self.cache.drop_older(self.of_message(platform, text, hint=hint).key, seconds)

    def _key(self, platform: str, question: str, language: str, prompt: str) -> bytes:
        tenant = self._basis.tenants.get(platform, platform)
        return key_of(question, Scope(tenant, self._basis.model(), prompt, language))


def _prompt(system_prompt: str, options: Options, payload: Mapping[str, Any]) -> str:
    """Return the prompt's version: what the model is told besides the question, and how it chooses words."""
    choices = {name: value for name, value in payload.items() if name not in {"messages", "user", CHOICE}}
    # More than the operator allows is not given: the same answer.
    if "max_tokens" in choices:
        choices["max_tokens"] = min(int(choices["max_tokens"]), options.max_tokens)
    told = [system_prompt, {**asdict(options), "deadline_seconds": 0, **choices}]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
