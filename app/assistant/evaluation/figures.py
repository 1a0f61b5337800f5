"""A run's figures, and those of two runs over the same questions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.evaluation import bleu
from assistant.evaluation.questions import Question, QuestionSet
from assistant.evaluation.results import Results
from assistant.evaluation.rules import failures
from assistant.evaluation.statistics import Interval, bootstrap, quantile, wilson
from assistant.store.ratings import Satisfaction

QUANTILES = (0.5, 0.95, 0.99)
SEED = 20260101
Figures = dict[str, Any]


class Judged:
    """A run, with the broken rules of each answer in the order of the questions."""

    def __init__(self, questions: QuestionSet, results: Results) -> None:
        """Judge ``results``, which must answer all of ``questions``."""
        self.questions, self.results = questions.questions, results
        self.answers = [results.answers[q.id] for q in self.questions]
        self.broken = [
            ["error"] if a.error else failures(q, a.answer, a.finish_reason)
            for q, a in zip(self.questions, self.answers, strict=True)
        ]
        self.success = np.asarray([not broken for broken in self.broken], dtype=float)
        self.bleu = bleu.count(
            [a.answer for a in self.answers],
            [q.reference for q in self.questions],
            [q.language for q in self.questions],
        )


def strata(questions: Sequence[Question]) -> list[int]:
    """Return each question's stratum: its language."""
    names = sorted({q.language for q in questions})
    return [names.index(q.language) for q in questions]


def summary(judged: Judged, seed: int = SEED) -> Figures:
    """Return the figures of one run; shares are 0 to 1, BLEU 0 to 100, times in seconds."""
    header = judged.results.header
    groups = strata(judged.questions)
    whole = [a.seconds for a in judged.answers if not a.error]
    first = [a.first_seconds for a in judged.answers if not a.error]
    return {
        "model": header.model,
        "questions_sha256": header.questions_sha256,
        "questions": len(judged.questions),
        "started": header.started,
        "seed": seed,
        "success": asdict(bootstrap(groups, lambda n: _mean(judged.success, n), seed=seed)),
        "success_by_language": _shares(judged, [q.language for q in judged.questions]),
        "success_by_kind": _shares(judged, [q.kind for q in judged.questions]),
        "bleu": asdict(bootstrap(groups, judged.bleu.score, seed=seed)),
        "bleu_by_language": {name: judged.bleu.of(name) for name in judged.bleu.signatures},
        "bleu_signatures": dict(judged.bleu.signatures),
        "broken_rules": dict(sorted(Counter(rule for one in judged.broken for rule in one).items())),
        "seconds": _quantiles(whole),
        "first_seconds": _quantiles(first),
    }


def comparison(base: Judged, candidate: Judged, seed: int = SEED) -> Figures:
    """Return what ``candidate`` has more than ``base``, question by question, with the pairs kept together.

    ``verdict`` goes by success: ``better`` or ``worse`` where the interval leaves out zero, else ``unclear``.
    """
    groups = strata(base.questions)
    gain = candidate.success - base.success
    success = bootstrap(groups, lambda n: _mean(gain, n), seed=seed)
    score = bootstrap(groups, lambda n: candidate.bleu.score(n) - base.bleu.score(n), seed=seed)
    return {
        "base": base.results.header.model,
        "candidate": candidate.results.header.model,
        "questions_sha256": base.results.header.questions_sha256,
        "seed": seed,
        "success_difference": asdict(success),
        "bleu_difference": asdict(score),
        "won": int((gain > 0).sum()),
        "lost": int((gain < 0).sum()),
        "verdict": _verdict(success),
    }


def csat(ratings: Sequence[Satisfaction]) -> Figures:
    """Return CSAT, the share of good ratings, by channel and of all; None where there are none."""
    good, count = sum(r.good for r in ratings), sum(r.ratings for r in ratings)
    found = {r.platform: _csat(r.good, r.ratings) for r in ratings}
    return {"all": _csat(good, count), "by_channel": found}


def _csat(good: int, count: int) -> Figures | None:
    interval = wilson(good, count)
    return None if interval is None else {"good": good, "ratings": count, **asdict(interval)}


def _verdict(difference: Interval) -> str:
    if difference.low > 0:
        return "better"
    return "worse" if difference.high < 0 else "unclear"


def _mean(values: NDArray[np.float64], numbers: NDArray[np.int64]) -> float:
    return float(values[numbers].mean())


def _shares(judged: Judged, names: Sequence[str]) -> Figures:
    found = {}
    for name in sorted(set(names)):
        own = [bool(s) for s, n in zip(judged.success, names, strict=True) if n == name]
        interval = wilson(sum(own), len(own))
        if interval is not None:
            found[name] = {"good": sum(own), "questions": len(own), **asdict(interval)}
    return found


def _quantiles(values: Sequence[float]) -> Figures:
    return {f"p{share * 100:g}": quantile(values, share) for share in QUANTILES}
