"""Which model answers a message: by chance, but never another one in the middle of a dialogue."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assistant.answers.answers import CHOICE, NO_STORE
from assistant.messages import API
from assistant.metrics.labels import CANDIDATE, STABLE
from assistant.rollout.candidate import Candidate
from assistant.rollout.rules import Rules, rules_of
from assistant.rollout.share import goes_on, is_candidates, name_of_call, name_of_chat
from assistant.store.claims import Claim
from assistant.store.rollout_answers import RolloutAnswers
from assistant.store.rollout_states import PAUSED, PROMOTING, RUNNING
from assistant.store.rollouts import Rollout

# So many dialogues of API callers are remembered that the candidate has answered.
DIALOGUES = 10_000


@dataclass(frozen=True)
class Choice:
    """Which arm answers; ``rollout`` is 0 without one, ``counted``: it counts for the comparison."""

    arm: str = STABLE
    rollout: int = 0
    counted: bool = False


@dataclass(frozen=True)
class View:
    """A rollout as far as a message's way depends on it."""

    rollout: Rollout
    rules: Rules


class Arms:
    """Chooses; follows the rollout that the keeper shows it."""

    def __init__(self, answers: RolloutAnswers, candidate: Candidate) -> None:
        """Look into ``answers`` for what was said before; ``candidate`` may be away."""
        self._answers, self.candidate = answers, candidate
        self._view: View | None = None
        self._dialogues: OrderedDict[str, None] = OrderedDict()
        # Above so many seconds an answer of the candidate is too late; 0: the keeper does not know yet.
        self.slow_seconds = 0.0

    def follow(self, rollout: Rollout | None) -> None:
        """Choose by ``rollout`` from now on."""
        shares = rollout is not None and rollout.state in {RUNNING, PAUSED, PROMOTING}
        old = self._view.rollout.number if self._view is not None else 0
        if rollout is None or not shares or rollout.number != old:
            self._dialogues, self.slow_seconds = OrderedDict(), 0.0
        self._view = View(rollout, rules_of(rollout.rules)) if rollout is not None and shares else None

    def of_claim(self, claim: Claim) -> Choice:
        """Return which arm answers ``claim``."""
        view = self._view
        if view is None or _wants_the_model_itself(claim.payload):
            return Choice()
        if claim.platform == API:
            arm, by_chance = self._dialogue(view, claim.payload)
        else:
            arm, by_chance = self._chat(view, claim)
        return self._choice(view, arm, by_chance=by_chance)

    def of_call(self, payload: Mapping[str, Any]) -> str:
        """Return the arm that answers an API call."""
        view = self._view
        if view is None or _wants_the_model_itself(payload):
            return STABLE
        arm, by_chance = self._dialogue(view, payload)
        return self._choice(view, arm, by_chance=by_chance).arm

    def deadline(self, seconds: float) -> float:
        """Return how many of an answer's ``seconds`` the candidate has; the rest is for the stable model."""
        view = self._view
        allowed = seconds * (view.rules.deadline_share if view is not None else 1.0)
        return min(allowed, self.slow_seconds) if self.slow_seconds else allowed

    def answered(self, payload: Mapping[str, Any]) -> None:
        """Remember that the candidate has answered a call: those that follow in its dialogue are its, too."""
        name = name_of_call(payload)
        self._dialogues[name] = None
        self._dialogues.move_to_end(name)
        while len(self._dialogues) > DIALOGUES:
            self._dialogues.popitem(last=False)

    def _choice(self, view: View, arm: str, *, by_chance: bool) -> Choice:
        number, usable = view.rollout.number, self.candidate.usable
        if arm == CANDIDATE and not usable:
            # Nobody waits for it; if it stays away, the keeper ends the rollout.
            return Choice(STABLE, number)
        # Both arms over the same time: what stable does while the candidate is away is compared with nothing.
        return Choice(arm, number, counted=by_chance and usable and view.rollout.state == RUNNING)

    def _chat(self, view: View, claim: Claim) -> tuple[str, bool]:
        latest = self._answers.latest_arm(claim.conversation_id, view.rules.rest_seconds)
        chance = self._chance(view, name_of_chat(claim.platform, claim.chat))
        if latest is None:
            return self._new(view, chance)
        arm, at = latest
        if at < (view.rollout.started_at or 0.0):
            # It was going on before the rollout.
            return STABLE, False
        return arm, arm == chance

    def _dialogue(self, view: View, payload: Mapping[str, Any]) -> tuple[str, bool]:
        name = name_of_call(payload)
        chance = self._chance(view, name)
        if not goes_on(payload):
            return self._new(view, chance)
        young = view.rollout.now - (view.rollout.started_at or 0.0) < view.rules.rest_seconds
        if young and chance == CANDIDATE and name not in self._dialogues:
            # Perhaps it was going on before.
            return STABLE, False
        return chance, True

    def _new(self, view: View, chance: str) -> tuple[str, bool]:
        return (chance, True) if view.rollout.state == RUNNING else (STABLE, False)

    def _chance(self, view: View, name: str) -> str:
        return CANDIDATE if is_candidates(view.rollout.key, name, view.rules.share) else STABLE


def _wants_the_model_itself(payload: Mapping[str, Any]) -> bool:
    """Whether a call is an evaluation's (or one like it): a rollout must not change whom it asks."""
    return payload.get(CHOICE) == NO_STORE
