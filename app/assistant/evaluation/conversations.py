"""Asking a model what people asked: only what can be said without their words is kept.

There is no reference for these questions, so the rules about an answer's form are all that is judged.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from assistant.evaluation.asking import Run, ask_all, header_of
from assistant.evaluation.figures import QUANTILES, SEED, Figures
from assistant.evaluation.questions import Message, Question
from assistant.evaluation.results import Answer, Judgement, opened_results, read_judgements
from assistant.evaluation.rules import failures
from assistant.evaluation.sample import Item, Sample, masked_texts
from assistant.evaluation.statistics import bootstrap, quantile, wilson
from assistant.store import Database
from assistant.store.asked import erase_calls, now


def run(
    database: Database, sample: Sample, path: Path, wanted: Run, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Ask what ``path`` has no judgement of yet, and add the judgements; returns how many were erased since.

    Raises:
        EvaluationError: as ``asking.run``, or the sample's texts are others.
    """
    texts = masked_texts(database, sample)
    header = header_of(sample.sha256, wanted)
    with opened_results(path, header, Judgement) as writer:
        questions = {str(i.number): _question(i, texts[i.number]) for i in sample.items if i.number in texts}
        left = [q for name, q in questions.items() if name not in writer.known]
        # What a run that was killed may have left.
        erase_calls(database, set(texts.values()), sample.made)
        begun = now(database)

        def add(question: Question, answer: Answer) -> None:
            # Where it is this very service that was asked.
            erase_calls(database, {question.messages[-1].content}, begun)
            broken = ["error"] if answer.error else failures(question, answer.answer, answer.finish_reason)
            writer.add(
                Judgement(
                    id=question.id,
                    broken=broken,
                    seconds=answer.seconds,
                    first_seconds=answer.first_seconds,
                    characters=len(answer.answer),
                )
            )

        ask_all(left, len(questions), header.model, wanted, add, sleep)
    return len(sample.items) - len(texts)


def conversation_figures(sample: Sample, path: Path, base: Path | None = None, seed: int = SEED) -> Figures:
    """Return the figures of the judgements in ``path`` and, paired by question, their difference to ``base``.

    Raises:
        EvaluationError: a file cannot be read or is of another sample.
    """
    header, mine = read_judgements(path, sample.sha256)
    strata = {str(i.number): i for i in sample.items}
    found: Figures = {
        "model": header.model,
        "sample_sha256": sample.sha256,
        "questions": len(sample.items),
        "answered": len(mine),
        "well_formed": _share(list(mine.values())),
        **{
            f"well_formed_by_{name}": _by(mine, {n: getattr(i, name) for n, i in strata.items()})
            for name in ("channel", "language", "kind")
        },
        "broken_rules": dict(sorted(Counter(rule for j in mine.values() for rule in j.broken).items())),
        "seconds": {f"p{s * 100:g}": quantile([j.seconds for j in mine.values()], s) for s in QUANTILES},
        "difference": None,
    }
    if base is not None:
        _, theirs = read_judgements(base, sample.sha256)
        both = sorted(mine.keys() & theirs.keys())
        if both:
            gain = np.asarray([(not mine[n].broken) - (not theirs[n].broken) for n in both], dtype=float)
            pair = bootstrap([0] * len(both), lambda numbers: float(gain[numbers].mean()), seed=seed)
            found["difference"] = {"pairs": len(both), "seed": seed, **asdict(pair)}
    return found


def _question(item: Item, text: str) -> Question:
    # Not checked: no fact is expected, which no curated question may do.
    return Question.model_construct(
        id=str(item.number),
        language=item.language,
        kind=item.kind,
        messages=[Message(role="user", content=text)],
        reference="",
        expect=[],
        forbid=[],
        refuse=[],
        max_characters=0,
        json_object=False,
    )


def _share(judgements: Sequence[Judgement]) -> Figures | None:
    good = sum(not j.broken for j in judgements)
    interval = wilson(good, len(judgements))
    return None if interval is None else {"good": good, "questions": len(judgements), **asdict(interval)}


def _by(judgements: Mapping[str, Judgement], names: Mapping[str, str]) -> Figures:
    return {
        name: _share([j for n, j in judgements.items() if names.get(n) == name])
        for name in sorted({names[n] for n in judgements if n in names})
    }
