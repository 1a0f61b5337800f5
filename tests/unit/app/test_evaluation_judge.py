"""A judge's word: only in the form that was asked for, counted by hand, and never against a model."""

import math

import numpy as np
import pytest

from assistant.evaluation.figures import Judged
from assistant.evaluation.judge import Opinions, judge_figures, parse
from assistant.evaluation.results import Answer
from assistant.evaluation.told import summary_texts
from tests.unit.app.test_evaluation_report import answer, judged

NONE = math.nan


def said(text: str, finish_reason: str = "stop", error: str = "") -> Answer:
    return answer("q", text).model_copy(update={"finish_reason": finish_reason, "error": error})


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('{"reason": "all there", "verdict": "pass"}', "pass"),
        (' \n{"verdict": "fail", "reason": "缺少端口"}\n', "fail"),
        ('{"verdict": "pass"}', ""),
        ('{"reason": "x", "verdict": "PASS"}', ""),
        ('{"reason": "x", "verdict": "pass", "score": 9}', ""),
        ('```json\n{"reason": "x", "verdict": "pass"}\n```', ""),
        ('{"reason": "x", "verdict": "pass"} {"reason": "x", "verdict": "fail"}', ""),
        ("pass", ""),
        ("[]", ""),
        ("", ""),
    ],
)
def test_a_verdict_has_its_form_to_the_letter(text: str, verdict: str) -> None:
    found = parse("q", said(text))
    assert found.verdict == verdict
    assert found.error == ("" if verdict else "form")


def test_a_judge_that_fails_or_is_cut_says_nothing() -> None:
    assert parse("q", said("", error="Outage")).error == "Outage"
    assert parse("q", said('{"reason": "a long', finish_reason="length")).error == "cut"


def opinions(*passed: float, model: str = "judge") -> Opinions:
    return Opinions(model, np.asarray(passed))


def run(*right: bool) -> Judged:
    return judged(*("yes" if one else "no" for one in right))


def test_hand_counted_agreement() -> None:
    # Rules: 6 of 8 right. Judge: 5 of 8 pass, one of them wrong by the rules, two right ones failed.
    rules = run(True, True, True, True, True, True, False, False)
    found = judge_figures(rules, opinions(1, 1, 1, 1, 0, 0, 1, 0))
    assert found["judged_success"]["value"] == 5 / 8
    assert found["judged_success"]["low"] < 5 / 8 < found["judged_success"]["high"]
    agreement = found["agreement"]
    counts = [agreement[name] for name in ("both_right", "both_wrong", "only_rules", "only_judge")]
    assert counts == [4, 1, 2, 1]
    assert agreement["share"] == 5 / 8
    # By chance: 6/8 * 5/8 + 2/8 * 3/8 = 36/64; kappa = (40/64 - 36/64) / (28/64).
    assert agreement["kappa"] == pytest.approx(4 / 28)
    assert (found["judged"], found["without_verdict"], found["difference"]) == (8, 0, None)
    assert found["characters"] == {"pass": 3.0, "fail": 3.0}


def test_what_the_judge_did_not_say_counts_for_nobody() -> None:
    rules = run(True, True, False, False)
    found = judge_figures(rules, opinions(1, NONE, NONE, 0))
    assert (found["judged"], found["without_verdict"]) == (2, 2)
    assert found["judged_success"]["value"] == 0.5
    assert found["agreement"]["share"] == 1.0
    silent = judge_figures(rules, opinions(NONE, NONE, NONE, NONE))
    assert silent["judged_success"] is None
    assert silent["without_verdict"] == 4


def test_a_difference_is_of_pairs_that_one_judge_has_read() -> None:
    rules = run(True, True, True, True)
    base = opinions(0, 0, NONE, 1)
    found = judge_figures(rules, opinions(1, 1, 1, 1), base)["difference"]
    assert (found["pairs"], found["value"]) == (3, pytest.approx(2 / 3))
    other = opinions(0, 0, 0, 0, model="another judge")
    assert judge_figures(rules, opinions(1, 1, 1, 1), other)["difference"] is None


def test_where_all_are_right_for_both_there_is_no_chance_to_agree_beyond() -> None:
    assert judge_figures(run(True, True), opinions(1, 1))["agreement"]["kappa"] is None


def test_operators_are_told_in_both_languages() -> None:
    interval = {"value": 0.9, "low": 0.8, "high": 0.95}
    figures = {
        "month": "2026-03",
        "base_month": "2026-02",
        "model": {
            "model": "new",
            "success": interval,
            "bleu": {"value": 61.0, "low": 55.5, "high": 66.4},
            "seconds": {"p50": 1.0, "p95": 2.5},
        },
        "comparison": {
            "base": "old",
            "verdict": "worse",
            "success_difference": {"value": -0.05, "low": -0.09, "high": -0.01},
            "won": 1,
            "lost": 6,
        },
        "judge": None,
        "conversations": {"well_formed": None},
        "csat": {"all": {"value": 0.5, "low": 0.1, "high": 0.9}},
    }
    english, chinese = summary_texts(figures, "https://a.example/reports/2026-03.html")
    assert english.split("\n") == [
        "Evaluation 2026-03: new",
        "Compared with 2026-02 (old): WORSE; success -5.0 (-9.0 to -1.0) points, 1 answers won, 6 lost",
        "Success rate, %: 90.0 (80.0 to 95.0)",
        "BLEU-4: 61.0 (55.5 to 66.4)",
        "CSAT, %: 50.0 (10.0 to 90.0)",
        "Answer's time, s: 1.00 (median), 2.50 (p95)",
        "Report: https://a.example/reports/2026-03.html",
    ]
    assert "更差" in chinese and "90.0 (80.0 至 95.0)" in chinese and "报告：https" in chinese
    assert len(chinese.split("\n")) == 7
