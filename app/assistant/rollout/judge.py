"""What follows from the numbers: a function of both arms' figures, the candidate's health and the rules.

It knows no clock and no database. Nothing here promotes for want of numbers: what is not known is a reason
to wait, and in the end to roll back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from assistant.evaluation.statistics import CONFIDENCE, wilson
from assistant.rollout.reasons import GOOD, INCONCLUSIVE, Reason
from assistant.rollout.rules import Rules
from assistant.store.rollout_answers import CUT, EMPTY, ERROR, READ, ArmFigures

HOUR = 3600.0
Action = Literal["continue", "rollback", "extend", "promote"]
Answers = Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Health:
    """How the candidate's process is.

    ``away_seconds``: how long it has not said that it is ready; ``metrics_age_seconds``: how old its newest
    metrics are; memory in bytes, None where it does not say; ``restarted``: it began anew by itself.
    """

    away_seconds: float = 0.0
    metrics_age_seconds: float = 0.0
    memory_bytes: float | None = None
    memory_limit_bytes: float | None = None
    restarted: bool = False


@dataclass(frozen=True)
class Evidence:
    """What is known of both models: what counts since the rollout began, and outcome and seconds of their
    newest answers.
    """

    stable: ArmFigures
    candidate: ArmFigures
    stable_recent: Answers = ()
    candidate_recent: Answers = ()

    @classmethod
    def nothing(cls) -> "Evidence":
        """Return the evidence before there is any."""
        return cls(ArmFigures(), ArmFigures())


@dataclass(frozen=True)
class Verdict:
    """What is to be done, and why."""

    action: Action
    reason: Reason | None = None


CONTINUE = Verdict("continue")
NO_DATA = Reason("few_answers", "there are no answers to compare", "尚无可比较的回答")


def judge(
    evidence: Evidence, health: Health, rules: Rules, *, elapsed_seconds: float, due_hours: float
) -> Verdict:
    """Judge a rollout that runs.

    Args:
        evidence: figures of both arms.
        health: of the candidate's process.
        rules: the rollout's.
        elapsed_seconds: how long it has run.
        due_hours: at how many hours of running it may be promoted.
    """
    if (reason := alarm(evidence, health, rules)) is not None:
        return Verdict("rollback", reason)
    if elapsed_seconds < due_hours * HOUR:
        return CONTINUE
    missing = doubts(evidence, rules)
    if not missing:
        return Verdict("promote", GOOD)
    if elapsed_seconds >= rules.max_hours * HOUR:
        last = missing[0]
        return Verdict(
            "rollback",
            Reason(
                INCONCLUSIVE.code,
                f"{INCONCLUSIVE.english}: {last.english}",
                f"{INCONCLUSIVE.chinese}：{last.chinese}",
            ),
        )
    return Verdict("extend", missing[0])


def alarm(evidence: Evidence, health: Health, rules: Rules) -> Reason | None:
    """Return why the candidate must go at once, or None."""
    return (
        _unwell(health, rules)
        # Before errors: one that comes too late is both.
        or _slow(evidence, rules)
        or _slow_as_a_rule(evidence, rules)
        or _bad_answers(evidence, rules)
    )


def doubts(evidence: Evidence, rules: Rules) -> list[Reason]:
    """Return all that speaks against a promotion; empty: nothing does."""
    few = _too_few(evidence, rules)
    if not (evidence.stable.answers and evidence.candidate.answers):
        return [few or NO_DATA]
    found = [
        few,
        _worse_success(evidence, rules),
        _worse_ratings(evidence, rules),
        _more_cut(evidence, rules),
        _slower(evidence, rules),
    ]
    return [reason for reason in found if reason is not None]


def lowest_difference(
    good: int, count: int, base_good: int, base_count: int, confidence: float = CONFIDENCE
) -> float:
    """Return the lower end of the interval of the difference of two shares, the second one subtracted.

    Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions:
    comparison of eleven methods", Statistics in Medicine 17 (1998), method 10: from both Wilson intervals.
    Without any of one of them it is the lowest that a difference can be.
    """
    mine, base = wilson(good, count, confidence), wilson(base_good, base_count, confidence)
    if mine is None or base is None:
        return -1.0
    return mine.value - base.value - math.hypot(mine.value - mine.low, base.high - base.value)


def _unwell(health: Health, rules: Rules) -> Reason | None:
    if health.restarted:
        return Reason(
            "restarted",
            "the candidate's process ended and began anew (out of memory, or a crash): "
            "docker logs ai-candidate",
            "候选模型的进程曾退出并重新启动（内存不足或崩溃）：docker logs ai-candidate",
        )
    if health.away_seconds >= rules.unreachable_seconds:
        seconds = round(health.away_seconds)
        return Reason(
            "unreachable",
            f"the candidate has not been reachable and ready for {seconds} s",
            f"候选模型已 {seconds} 秒不可达或未就绪",
        )
    if health.metrics_age_seconds >= rules.metrics_seconds:
        seconds = round(health.metrics_age_seconds)
        return Reason(
            "no_metrics",
            f"the candidate has shown no metrics for {seconds} s: what is not measured is not trusted",
            f"候选模型已 {seconds} 秒没有指标，无法监测即不可信",
        )
    used, limit = health.memory_bytes, health.memory_limit_bytes
    if used is not None and limit and used > rules.memory_share * limit:
        share = round(100 * used / limit)
        return Reason(
            "memory",
            f"the candidate uses {share} % of its memory limit (rollout_memory_limit)",
            f"候选模型已用其内存上限的 {share} %（rollout_memory_limit）",
        )
    return None


def _bad_answers(evidence: Evidence, rules: Rules) -> Reason | None:
    words = {
        ERROR: ("errors", rules.alarm_margin, "gave an error", "出错"),
        EMPTY: ("empty", rules.alarm_margin, "were empty", "为空"),
        CUT: ("cut", rules.alarm_cut_margin, "were cut off", "被截断"),
    }
    mine, base = _newest(evidence.candidate_recent, rules), _newest(evidence.stable_recent, rules)
    for outcome, (code, margin, english, chinese) in words.items():
        bad, theirs = _with(outcome, mine), _with(outcome, base)
        share = theirs / len(base) if base else 0.0
        if bad >= rules.alarm_least and bad / len(mine) >= share + margin:
            return Reason(
                code,
                f"{bad} of the candidate's last {len(mine)} answers {english}, {theirs} of stable's "
                f"last {len(base)}",
                f"候选模型最近 {len(mine)} 个回答中 {bad} 个{chinese}，"
                f"稳定模型最近 {len(base)} 个中 {theirs} 个",
            )
    return None


def _slow(evidence: Evidence, rules: Rules) -> Reason | None:
    if evidence.stable.p99 is None:
        return None
    limit = rules.slow_factor * evidence.stable.p99 + rules.slow_seconds
    mine = _newest(evidence.candidate_recent, rules)
    slow = sum(seconds > limit for _, seconds in mine)
    if slow < rules.alarm_least:
        return None
    return Reason(
        "slow",
        f"{slow} of the candidate's last {len(mine)} answers took over {limit:.1f} s; stable's p99 is "
        f"{evidence.stable.p99:.1f} s",
        f"候选模型最近 {len(mine)} 个回答中 {slow} 个超过 {limit:.1f} 秒，"
        f"稳定模型的 p99 为 {evidence.stable.p99:.1f} 秒",
    )


def _slow_as_a_rule(evidence: Evidence, rules: Rules) -> Reason | None:
    """Compare the medians too: on a busy host a few late answers of stable's take its p99 far up."""
    mine, base = _newest(evidence.candidate_recent, rules), _newest(evidence.stable_recent, rules)
    if min(len(mine), len(base)) < 2 * rules.alarm_least:
        return None
    middle, usual = (median(seconds for _, seconds in answers) for answers in (mine, base))
    if middle <= rules.slow_factor * usual + rules.slow_seconds:
        return None
    return Reason(
        "slow",
        f"half of the candidate's last {len(mine)} answers took over {middle:.1f} s, half of stable's last "
        f"{len(base)} over {usual:.1f} s",
        f"候选模型最近 {len(mine)} 个回答的中位用时为 {middle:.1f} 秒，"
        f"稳定模型最近 {len(base)} 个为 {usual:.1f} 秒",
    )


def _too_few(evidence: Evidence, rules: Rules) -> Reason | None:
    # A promotion for want of numbers is impossible whatever the rules say.
    least = max(1, rules.minimum_answers)
    fewest = min(evidence.stable.answers, evidence.candidate.answers)
    if fewest < least:
        return Reason(
            "few_answers",
            f"too few answers: {evidence.candidate.answers} of the candidate and {evidence.stable.answers} "
            f"of stable, {least} are needed of each",
            f"回答数不足：候选模型 {evidence.candidate.answers} 个，稳定模型 {evidence.stable.answers} 个，"
            f"各需 {least} 个",
        )
    ratings = min(evidence.stable.ratings, evidence.candidate.ratings)
    if ratings < rules.minimum_ratings:
        return Reason(
            "few_ratings",
            f"too few ratings: {evidence.candidate.ratings} of the candidate's answers and "
            f"{evidence.stable.ratings} of stable's, {rules.minimum_ratings} are needed of each",
            f"评分数不足：候选模型 {evidence.candidate.ratings} 个，稳定模型 {evidence.stable.ratings} 个，"
            f"各需 {rules.minimum_ratings} 个",
        )
    return None


def _worse_success(evidence: Evidence, rules: Rules) -> Reason | None:
    mine, base = evidence.candidate, evidence.stable
    counts = (mine.read, mine.answers, base.read, base.answers)
    return _not_proven("success", "good answers", "有效回答率", counts, rules.success_margin, rules)


def _worse_ratings(evidence: Evidence, rules: Rules) -> Reason | None:
    mine, base = evidence.candidate, evidence.stable
    counts = (mine.good_ratings, mine.ratings, base.good_ratings, base.ratings)
    # Where none are asked for, those that are there may still say clearly that it is worse.
    if not rules.minimum_ratings and lowest_difference(*counts[2:], *counts[:2]) <= 0.0:
        return None
    return _not_proven("ratings", "good ratings", "好评率", counts, rules.ratings_margin, rules)


def _not_proven(
    code: str, english: str, chinese: str, counts: tuple[int, int, int, int], margin: float, rules: Rules
) -> Reason | None:
    """Return that a share may be lower than stable's by more than ``margin``; None where it is proven not to.

    ``counts`` are the candidate's good ones, of how many, and the same of stable.
    """
    low = lowest_difference(*counts, rules.confidence)
    if low >= -margin:
        return None
    good, count, base_good, base_count = counts
    return Reason(
        code,
        f"not proven to be as good: {english} {good} of {count}, stable's {base_good} of {base_count}; the "
        f"difference may be {100 * low:+.1f} points",
        f"尚未证明不逊色：{chinese} {good}/{count}，稳定模型 {base_good}/{base_count}，"
        f"差值可能低至 {100 * low:+.1f} 个百分点",
    )


def _more_cut(evidence: Evidence, rules: Rules) -> Reason | None:
    mine, base = evidence.candidate, evidence.stable
    known = mine.answers and base.answers
    if known and mine.cut / mine.answers <= base.cut / base.answers + rules.cut_margin:
        return None
    return Reason(
        "cut",
        f"more answers are cut off: {mine.cut} of {mine.answers}, stable's {base.cut} of {base.answers}",
        f"被截断的回答更多：{mine.cut}/{mine.answers}，稳定模型 {base.cut}/{base.answers}",
    )


def _slower(evidence: Evidence, rules: Rules) -> Reason | None:
    for name in ("p50", "p99"):
        mine: float | None = getattr(evidence.candidate, name)
        base: float | None = getattr(evidence.stable, name)
        if mine is None or base is None:
            return Reason("latency", "no answer shows how quick it is", "尚无可用的延迟数据")
        limit = rules.latency_factor * base + rules.latency_seconds
        if mine > limit:
            return Reason(
                "latency",
                f"slower: {name} is {mine:.2f} s, stable's {base:.2f} s; up to {limit:.2f} s would do",
                f"更慢：{name} 为 {mine:.2f} 秒，稳定模型 {base:.2f} 秒，上限 {limit:.2f} 秒",
            )
    return None


def _newest(answers: Answers, rules: Rules) -> Answers:
    return answers[: rules.window]


def _with(outcome: str, answers: Answers) -> int:
    return sum(found == outcome for found, _ in answers)


__all__ = ["CONTINUE", "READ", "Evidence", "Health", "Verdict", "alarm", "doubts", "judge"]
