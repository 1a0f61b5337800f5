"""Reading the evidence on a rollout from the database."""

from assistant.metrics.labels import CANDIDATE, STABLE
from assistant.rollout.judge import Evidence
from assistant.rollout.rules import Rules
from assistant.store.rollout_answers import RolloutAnswers


def read_evidence(answers: RolloutAnswers, rollout: int, rules: Rules) -> Evidence:
    """Return what is known of both arms of ``rollout``: both over the same time, that in which it ran."""
    return Evidence(
        stable=answers.figures(rollout, STABLE),
        candidate=answers.figures(rollout, CANDIDATE),
        stable_recent=answers.recent(rollout, STABLE, rules.window),
        candidate_recent=answers.recent(rollout, CANDIDATE, rules.window),
    )
