"""BLEU-4 by sacrebleu, over the whole corpus of a language.

Source: M. Post, "A call for clarity in reporting BLEU scores" (2018). The counts of each answer are kept, so
that a resample's score is made of the sums, exactly as the corpus's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

TOKENIZERS = {"zh": "zh"}
DEFAULT_TOKENIZER = "13a"
ORDER = 4


@dataclass(frozen=True)
class Counts:
    """What BLEU is made of, a row for each answer: matches and totals by order, lengths of both texts."""

    rows: NDArray[np.int64]
    languages: tuple[str, ...]
    signatures: Mapping[str, str]

    def score(self, numbers: NDArray[np.int64] | None = None) -> float:
        """Return the languages' BLEU, 0 to 100, each weighted by its number of answers; of all if None."""
        chosen = np.arange(len(self.rows)) if numbers is None else numbers
        own = np.asarray(self.languages)[chosen]
        scores = [(self._corpus(chosen[own == name]), int((own == name).sum())) for name in self.signatures]
        whole = sum(count for _, count in scores)
        return sum(score * count for score, count in scores) / whole if whole else 0.0

    def of(self, language: str) -> float:
        """Return sacrebleu's corpus score of one language."""
        return self._corpus(np.flatnonzero(np.asarray(self.languages) == language))

    def _corpus(self, numbers: NDArray[np.int64]) -> float:
        sums = self.rows[numbers].sum(axis=0).tolist()
        found = BLEU.compute_bleu(
            correct=sums[:ORDER],
            total=sums[ORDER : 2 * ORDER],
            sys_len=sums[-2],
            ref_len=sums[-1],
            smooth_method="exp",
            max_ngram_order=ORDER,
        )
        return float(found.score)


def count(answers: Sequence[str], references: Sequence[str], languages: Sequence[str]) -> Counts:
    """Return the counts of ``answers`` against one reference each."""
    metrics = {
        name: BLEU(tokenize=TOKENIZERS.get(name, DEFAULT_TOKENIZER)) for name in sorted(set(languages))
    }
    rows = []
    for answer, reference, language in zip(answers, references, languages, strict=True):
        one = metrics[language].corpus_score([answer], [[reference]])
        rows.append([*one.counts, *one.totals, one.sys_len, one.ref_len])
    signatures = {name: str(metric.get_signature()) for name, metric in sorted(metrics.items())}
    shaped = np.asarray(rows, dtype=np.int64).reshape(len(rows), 2 * ORDER + 2)
    return Counts(shaped, tuple(languages), signatures)
