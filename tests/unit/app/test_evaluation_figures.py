"""The figures of an evaluation: against sacrebleu's own program, hand counts, and known truth."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.evaluation import bleu
from assistant.evaluation.figures import Judged, comparison, csat, summary
from assistant.evaluation.questions import Message, Question, QuestionSet
from assistant.evaluation.results import Answer, Header, Results
from assistant.evaluation.statistics import bootstrap, quantile, wilson
from assistant.store.ratings import Satisfaction

PAIRS = {
    "en": [
        ("Run make demo in the repository.", "Run make demo in the repository: it builds a server."),
        ("The answer, 4.5 GB, is wrong!", "Twice the file's size plus 1 GB."),
        ("Only 22, 80 and 443 are open.", "Only 22, 80 and 443 are open."),
        ("", "An answer was expected here, of some length."),
    ],
    "zh": [
        ("我不是人，是一个程序。", "我不是人，是一个带有小型语言模型的程序。"),
        ("运行 make demo 即可", "在仓库里运行 make demo"),
        ("完全不同的句子", "只开放 22、80 和 443"),
    ],
}


def question(number: int, language: str, reference: str = "yes it is", kind: str = "k") -> Question:
    return Question(
        id=f"q-{number}",
        language=language,  # type: ignore[arg-type]
        kind=kind,
        messages=[Message(role="user", content=f"question {number}")],
        reference=reference,
        expect=["yes"],
    )


def judged(questions: list[Question], answers: list[str], seconds: list[float] | None = None) -> Judged:
    times = seconds or [1.0] * len(answers)
    made = [
        Answer(id=q.id, answer=a, finish_reason="stop", seconds=s, first_seconds=s / 2, completion_tokens=3)
        for q, a, s in zip(questions, answers, times, strict=True)
    ]
    header = Header(questions_sha256="f" * 64, model="m", max_tokens=9, seed=1, started=0.0)
    return Judged(QuestionSet("f" * 64, tuple(questions)), Results(header, {a.id: a for a in made}))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_bleu_is_that_of_sacrebleus_own_program(tmp_path: Path, language: str) -> None:
    answers, references = zip(*PAIRS[language], strict=True)
    (tmp_path / "answers").write_text("".join(f"{a}\n" for a in answers), encoding="utf-8")
    (tmp_path / "references").write_text("".join(f"{r}\n" for r in references), encoding="utf-8")
    tokenizer = {"en": "13a", "zh": "zh"}[language]
    done = subprocess.run(
        [sys.executable, "-m", "sacrebleu", "references", "-i", "answers", "-tok", tokenizer, "-w", "8"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(done.stdout)
    mine = bleu.count(answers, references, [language] * len(answers))
    assert round(mine.of(language), 8) == theirs["score"] > 0
    assert mine.signatures == {language: theirs["signature"]}
    assert mine.score() == pytest.approx(mine.of(language))


def test_bleu_of_both_languages_is_weighted_by_their_answers() -> None:
    rows = [(a, r, language) for language, pairs in PAIRS.items() for a, r in pairs]
    mine = bleu.count(*map(list, zip(*rows, strict=True)))
    assert mine.score() == pytest.approx((4 * mine.of("en") + 3 * mine.of("zh")) / 7)


@pytest.mark.parametrize(
    ("good", "count", "low", "high"),
    # From tables: Newcombe, Statistics in Medicine 17 (1998), table I, method 3, and the well-known 8 of 10.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (8, 10, 0.4902, 0.9433),
    ],
)
def test_wilsons_interval_is_the_published_one(good: int, count: int, low: float, high: float) -> None:
    found = wilson(good, count)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_ends_are_as_far_as_chance_allows(case: tuple[int, int]) -> None:
    good, count = case
    found = wilson(good, count)
    # 97.5 % of a normal distribution lie below it: both ends of a 95 % interval.
    z = 1.959963984540054
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    for end in (found.low, found.high):
        assert abs(found.value - end) == pytest.approx(z * (end * (1 - end) / count) ** 0.5, abs=1e-6)


def test_a_share_of_nothing_is_unknown_and_a_wrong_one_is_refused() -> None:
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


def test_satisfaction_is_as_counted_by_hand() -> None:
    found = csat([Satisfaction("feishu", 6, 5), Satisfaction("telegram", 4, 3)])
    assert found["all"]["ratings"] == 10 and found["all"]["good"] == 8
    assert found["all"]["value"] == 0.8
    assert (round(found["all"]["low"], 4), round(found["all"]["high"], 4)) == (0.4902, 0.9433)
    assert found["by_channel"]["telegram"]["value"] == 0.75
    assert csat([])["all"] is None


def test_quantiles_are_values_that_were_measured() -> None:
    times = [float(n) for n in range(1, 101)]
    assert [quantile(times, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50.0, 95.0, 99.0, 100.0]
    assert quantile([7.0], 0.5) == 7.0
    assert quantile([], 0.5) is None


def test_the_bootstraps_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    source, truth, rounds, held = np.random.default_rng(7), 0.7, 200, 0
    for n in range(rounds):
        sample = (source.random(120) < truth).astype(float)
        found = bootstrap([0] * 120, lambda i, s=sample: float(s[i].mean()), seed=n, resamples=300)
        held += found.low <= truth <= found.high
    # 95 % of 200 with four standard deviations: neither too narrow nor too wide.
    assert 177 <= held < 200


def test_the_paired_intervals_hold_the_true_difference() -> None:
    source, rounds, held, narrower = np.random.default_rng(8), 150, 0, 0
    for n in range(rounds):
        # Both fail on the hard ones: only the pairs know that.
        hard = source.random(100)
        one, other = (hard < 0.6).astype(float), (hard < 0.7).astype(float)
        found = bootstrap(
            [0] * 100, lambda i, a=one, b=other: float((b - a)[i].mean()), seed=n, resamples=300
        )
        held += found.low <= 0.1 <= found.high
        alone = bootstrap([0] * 100, lambda i, b=other: float(b[i].mean()), seed=n, resamples=300)
        narrower += found.high - found.low < alone.high - alone.low
    assert held >= 129
    assert narrower == rounds


def test_each_stratum_keeps_its_size_and_the_seed_decides() -> None:
    sizes = set()

    def look(numbers: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> float:
        sizes.add((int((numbers < 3).sum()), int((numbers >= 3).sum())))
        return float(numbers.sum())

    first = bootstrap([0, 0, 0, 1, 1], look, seed=1, resamples=50)
    assert sizes == {(3, 2)}
    assert bootstrap([0, 0, 0, 1, 1], look, seed=1, resamples=50) == first
    assert bootstrap([0, 0, 0, 1, 1], look, seed=2, resamples=50) != first
    with pytest.raises(ValueError, match="nothing"):
        bootstrap([], look, seed=1)


def test_success_is_as_counted_by_hand() -> None:
    questions = [question(n, "en", kind="a" if n < 2 else "b") for n in range(4)]
    found = summary(judged(questions, ["Yes it is", "no", "yes", ""], [1.0, 2.0, 3.0, 4.0]))
    assert found["success"]["value"] == 0.5
    assert found["success_by_kind"]["a"]["good"] == 1 and found["success_by_kind"]["a"]["questions"] == 2
    assert found["success_by_language"]["en"]["good"] == 2
    assert found["broken_rules"] == {"empty": 1, "fact": 1}
    assert found["seconds"] == {"p50": 2.0, "p95": 4.0, "p99": 4.0}
    assert found["first_seconds"]["p50"] == 1.0
    assert found == summary(judged(questions, ["Yes it is", "no", "yes", ""], [1.0, 2.0, 3.0, 4.0]))


def test_a_comparison_counts_pairs_and_is_sure_only_when_the_interval_leaves_out_zero() -> None:
    questions = [question(n, "en") for n in range(40)]
    bad = judged(questions, ["yes"] * 10 + ["no"] * 30)
    good = judged(questions, ["no"] * 2 + ["yes it is"] * 38)
    found = comparison(bad, good)
    assert (found["won"], found["lost"], found["verdict"]) == (30, 2, "better")
    assert found["success_difference"]["value"] == pytest.approx(28 / 40)
    assert found["success_difference"]["low"] > 0
    assert comparison(good, bad)["verdict"] == "worse"
    near = judged(questions, ["yes"] * 11 + ["no"] * 29)
    assert comparison(bad, near)["verdict"] == "unclear"
    assert comparison(bad, bad)["bleu_difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
