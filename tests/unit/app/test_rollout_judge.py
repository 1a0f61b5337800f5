"""The judge: what is rolled back at once, what is promoted, and that nothing is for want of numbers."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.rollout.judge import Evidence, Health, Verdict, doubts, judge, lowest_difference
from assistant.rollout.rules import TABLE, Rules, RulesError, make_rules, parse, rules_of
from assistant.store.rollout_answers import CUT, EMPTY, ERROR, OK, ArmFigures

ROOT = Path(__file__).parents[3]
PAGE, ROOM = ROOT / "docs" / "rollout.md", ROOT / "app" / "assistant" / "rollout"
RULES = Rules()
DAY = 86400.0
GOOD = ArmFigures(ok=2000, p50=1.0, p99=3.0, ratings=2000, good_ratings=1900)
WELL = Health(memory_bytes=50.0, memory_limit_bytes=100.0)
NEWEST = tuple((OK, 1.0) for _ in range(20))
EQUAL = Evidence(GOOD, GOOD, NEWEST, NEWEST)


def verdict(
    evidence: Evidence = EQUAL,
    health: Health = WELL,
    rules: Rules = RULES,
    seconds: float = DAY,
    due: float = 24.0,
) -> tuple[str, str]:
    found = judge(evidence, health, rules, elapsed_seconds=seconds, due_hours=due)
    return found.action, found.reason.code if found.reason is not None else ""


def candidate(**more: float | int | None) -> Evidence:
    return replace(EQUAL, candidate=replace(GOOD, **more))  # type: ignore[arg-type]


def newest(*bad: tuple[str, float]) -> Evidence:
    return replace(EQUAL, candidate_recent=(*bad, *NEWEST[len(bad) :]))


def test_as_good_as_stable_is_promoted_after_its_hours_and_not_before() -> None:
    assert verdict() == ("promote", "good")
    assert verdict(seconds=DAY - 1) == ("continue", "")


@pytest.mark.parametrize(
    ("health", "code"),
    [
        ({"restarted": True}, "restarted"),
        ({"away_seconds": 30.0}, "unreachable"),
        ({"metrics_age_seconds": 60.0}, "no_metrics"),
        ({"memory_bytes": 95.1}, "memory"),
    ],
)
@pytest.mark.parametrize("seconds", [1.0, DAY])
def test_an_unwell_candidate_is_rolled_back_at_any_time(
    health: dict[str, float], code: str, seconds: float
) -> None:
    assert verdict(health=replace(WELL, **health), seconds=seconds) == ("rollback", code)


def test_what_is_just_within_its_limit_is_none() -> None:
    just = Health(29.9, 59.9, memory_bytes=95.0, memory_limit_bytes=100.0)
    assert verdict(health=just, seconds=1.0) == ("continue", "")
    assert verdict(health=replace(WELL, memory_limit_bytes=None), seconds=1.0) == ("continue", "")


@pytest.mark.parametrize(
    ("outcome", "bad", "code"), [(ERROR, 3, "errors"), (EMPTY, 3, "empty"), (CUT, 8, "cut")]
)
def test_bad_answers_roll_back_when_there_are_enough_of_them(outcome: str, bad: int, code: str) -> None:
    assert verdict(newest(*[(outcome, 1.0)] * bad), seconds=1.0) == ("rollback", code)
    assert verdict(newest(*[(outcome, 1.0)] * (bad - 1)), seconds=1.0) == ("continue", "")


def test_a_candidates_first_answers_count_as_soon_as_there_are_three_bad_ones() -> None:
    first = replace(EQUAL, candidate_recent=((EMPTY, 1.0),) * 3)
    assert verdict(first, seconds=1.0) == ("rollback", "empty")


def test_what_goes_wrong_on_both_arms_alike_is_not_the_candidates_fault() -> None:
    bad = ((ERROR, 1.0),) * 4 + NEWEST[4:]
    assert verdict(replace(EQUAL, stable_recent=bad, candidate_recent=bad), seconds=1.0) == ("continue", "")


def test_slow_answers_are_those_far_above_stables_p99() -> None:
    assert verdict(newest(*[(OK, 11.1)] * 3), seconds=1.0) == ("rollback", "slow")
    assert verdict(newest(*[(OK, 10.9)] * 3), seconds=1.0) == ("continue", "")
    # Without any answer of stable nobody knows what is slow.
    unknown = replace(newest(*[(OK, 11.1)] * 3), stable=ArmFigures())
    assert verdict(unknown, seconds=1.0) == ("continue", "")


def test_slow_as_a_rule_is_seen_whatever_stables_p99_is() -> None:
    late = replace(EQUAL, stable=replace(GOOD, p99=60.0))
    slow = replace(late, candidate_recent=((OK, 5.1),) * 6)
    assert verdict(slow, seconds=1.0) == ("rollback", "slow")
    assert verdict(replace(late, candidate_recent=((OK, 4.9),) * 6), seconds=1.0) == ("continue", "")
    # Half of them, and enough, of both.
    assert verdict(replace(late, candidate_recent=((OK, 5.1),) * 5), seconds=1.0) == ("continue", "")
    assert verdict(replace(slow, stable_recent=NEWEST[:5]), seconds=1.0) == ("continue", "")
    mixed = ((OK, 5.1),) * 9 + ((OK, 1.0),) * 11
    assert verdict(replace(late, candidate_recent=mixed), seconds=1.0) == ("continue", "")


@pytest.mark.parametrize(
    ("figures", "code"),
    [
        ({"ok": 199}, "few_answers"),
        ({"ratings": 19, "good_ratings": 19}, "few_ratings"),
        ({"ok": 1940, "error": 60}, "success"),
        ({"ok": 1940, "empty": 60}, "success"),
        ({"good_ratings": 1720}, "ratings"),
        ({"ok": 1800, "cut": 200}, "cut"),
        ({"p50": 1.5}, "latency"),
        ({"p99": 3.9}, "latency"),
        ({"p50": None}, "latency"),
    ],
)
def test_each_doubt_extends_and_in_the_end_is_inconclusive(figures: dict[str, int], code: str) -> None:
    assert verdict(candidate(**figures)) == ("extend", code)
    late = verdict(candidate(**figures), seconds=7 * DAY, due=168.0)
    assert late == ("rollback", "inconclusive")


def test_stable_must_have_its_numbers_too() -> None:
    assert verdict(replace(EQUAL, stable=replace(GOOD, ok=199))) == ("extend", "few_answers")
    assert verdict(replace(EQUAL, stable=replace(GOOD, ratings=3, good_ratings=3))) == (
        "extend",
        "few_ratings",
    )


def test_without_needed_ratings_clearly_worse_ones_still_count() -> None:
    none_needed = make_rules({"minimum_ratings": 0})
    none = replace(GOOD, ratings=0, good_ratings=0)
    assert verdict(Evidence(none, none), rules=none_needed) == ("promote", "good")
    few = Evidence(replace(GOOD, ratings=30, good_ratings=27), replace(GOOD, ratings=10, good_ratings=8))
    assert verdict(few, rules=none_needed) == ("promote", "good")
    bad = replace(few, candidate=replace(GOOD, ratings=10, good_ratings=2))
    assert verdict(bad, rules=none_needed) == ("extend", "ratings")


def test_the_interval_of_a_difference_is_newcombes() -> None:
    # R. G. Newcombe (1998), table II, column (a), method 10: 56/70 against 48/80.
    assert lowest_difference(56, 70, 48, 80) == pytest.approx(0.0524, abs=5e-5)
    assert -lowest_difference(48, 80, 56, 70) == pytest.approx(0.3339, abs=5e-5)
    assert lowest_difference(0, 0, 5, 10) == lowest_difference(5, 10, 0, 0) == -1.0


counts = st.integers(0, 5000)
times = st.one_of(st.none(), st.floats(0.0, 500.0))


@st.composite
def figures(draw: st.DrawFn) -> ArmFigures:
    ratings = draw(counts)
    return ArmFigures(
        *(draw(counts) for _ in range(4)),
        p50=draw(times),
        p99=draw(times),
        ratings=ratings,
        good_ratings=draw(st.integers(0, ratings)),
    )


answers = st.lists(st.tuples(st.sampled_from((OK, ERROR, EMPTY, CUT)), st.floats(0.0, 500.0)), max_size=40)
evidences = st.builds(Evidence, figures(), figures(), answers, answers)
healths = st.builds(
    Health,
    st.floats(0, 1000),
    st.floats(0, 1000),
    times,
    times,
    st.booleans(),
)
rules = st.builds(
    Rules,
    minimum_answers=st.integers(1, 3000),
    minimum_ratings=st.integers(0, 3000),
    success_margin=st.floats(0, 0.2),
    ratings_margin=st.floats(0, 0.2),
)


def judged(evidence: Evidence, health: Health, given_rules: Rules, hours: float) -> Verdict:
    return judge(evidence, health, given_rules, elapsed_seconds=hours * 3600, due_hours=24.0)


@settings(deadline=None)
@given(evidences, healths, rules, st.floats(0, 400))
def test_a_promotion_always_has_its_proof(
    evidence: Evidence, health: Health, given_rules: Rules, hours: float
) -> None:
    found = judged(evidence, health, given_rules, hours)
    assert (found.action == "continue") == (found.reason is None)
    if found.action != "promote":
        return
    mine, base = evidence.candidate, evidence.stable
    assert hours >= 24
    assert min(mine.answers, base.answers) >= given_rules.minimum_answers
    assert min(mine.ratings, base.ratings) >= given_rules.minimum_ratings
    assert mine.read / mine.answers >= base.read / base.answers - given_rules.success_margin
    if given_rules.minimum_ratings:
        share = base.good_ratings / base.ratings - given_rules.ratings_margin
        assert mine.good_ratings / mine.ratings >= share
    for one, other in ((mine.p50, base.p50), (mine.p99, base.p99)):
        assert one is not None
        assert other is not None
        assert one <= 1.2 * other + 0.2
    assert not health.restarted
    assert health.away_seconds < given_rules.unreachable_seconds


@settings(deadline=None)
@given(figures(), st.booleans(), rules)
def test_no_data_on_one_arm_is_never_a_promotion(
    one: ArmFigures, candidates: bool, given_rules: Rules
) -> None:
    arms = (ArmFigures(), one) if candidates else (one, ArmFigures())
    for hours in (24.0, 167.0, 168.0, 1000.0):
        assert judged(Evidence(*arms), Health(), given_rules, hours).action in {"extend", "rollback"}
    assert doubts(Evidence(*arms), given_rules)


def test_rules_are_checked_one_by_one_and_together() -> None:
    assert make_rules(parse(["share=0.25", "minimum_answers=7"])) == Rules(share=0.25, minimum_answers=7)
    assert rules_of({**Rules(hours=3).as_dict(), "of another version": 1}) == Rules(hours=3)
    for pair in (
        "share=0",
        "share=1.1",
        "share=nan",
        "hours=abc",
        "hours=inf",
        "minimum_answers=0",
        "minimum_answers=1.5",
        "minimum_ratings=-1",
        "hours=200",
        "window=3",
        "nonsense=1",
        "share",
    ):
        with pytest.raises(RulesError, match=pair.partition("=")[0]):
            make_rules({**parse([pair]), **({"alarm_least": 4} if pair.startswith("window") else {})})


def test_every_default_is_within_its_own_bounds() -> None:
    assert make_rules(Rules().as_dict()) == Rules()
    assert {one.metadata["text"] for one in TABLE.values()}


def test_the_document_has_the_rules_and_all_reasons() -> None:
    page = PAGE.read_text("utf-8")
    for name, rule in TABLE.items():
        unit = f" {rule.metadata['unit']}" if rule.metadata["unit"] else ""
        assert f"| `{name}` | {rule.default:g}{unit} | {rule.metadata['text']} |" in page
    rows = {
        word.strip()
        for line in page.splitlines()
        if line.startswith("| ")
        for word in line.split("|")[1].split(",")
    }
    source = "".join(path.read_text("utf-8") for path in ROOM.glob("*.py"))
    codes = set(re.findall(r'Reason\(\s*"([a-z_]+)"', source))
    # Those of steps that are no judgement.
    assert codes - rows == {"started", "loaded", "replaced", "good", "confirmed", "promotion_hangs"}
    assert rows >= {"success", "ratings"}
