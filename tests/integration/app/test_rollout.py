"""Rollouts with real processes and the demonstration's models: promoted, not promoted, rolled back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.app.process import SECRETS, until
from tests.integration.app.rollouts import SECOND, Pair
from tests.integration.app.test_web_chat import Visitor
from tools.demo_model.shipped import shipped

HEADERS = {"Authorization": f"Bearer {SECRETS['api_token']}"}
QUESTION = "What are your opening hours?"
Maker = Callable[..., Pair]


@pytest.fixture
def make_pair(tmp_path: Path) -> Iterator[Maker]:
    made: list[Pair] = []

    def make(stable: str, candidate: str) -> Pair:
        pair = Pair(tmp_path, shipped(stable), shipped(candidate))
        made.append(pair)
        return pair

    yield make
    for pair in made:
        pair.end()


def talk(pair: Pair, people: int, score: dict[str, int] | None = None) -> list[Visitor]:
    """Have ``people`` ask one question each; ``score`` is how they rate an answer of each arm."""
    visitors = [Visitor(pair.stable) for _ in range(people)]
    numbers = [visitor.say(QUESTION) for visitor in visitors]
    for visitor, number in zip(visitors, numbers, strict=True):
        answer = visitor.answer(number)
        assert answer["reply"].strip()
        assert not answer["failed"], pair.stable.log()
        if score:
            good = score[arm_of(pair, answer["reply"])]
            visitor.client.post("/chat/ratings", json={"id": number, "score": good}).raise_for_status()
    return visitors


def arm_of(pair: Pair, reply: str) -> str:
    """By which arm the newest answer with this text is; the models' words differ."""
    rows = pair.stable.rows("SELECT text, detail FROM outbox ORDER BY id DESC")
    return next(
        "candidate" if '"candidate"' in detail else "stable" for text, detail in rows if text == reply
    )


def test_a_better_model_is_promoted_and_a_kill_in_the_middle_loses_nothing(make_pair: Maker) -> None:
    pair = make_pair("demo-v1", "demo-v2")
    pair.begin(hours=str(6 * SECOND), extend_hours=str(SECOND), max_hours="1")
    pair.await_state("running")
    visitors = talk(pair, 8)
    before = until("the clock runs", lambda: s if (s := pair.status())["elapsed_seconds"] > 1 else None)
    pair.stable.kill()
    pair.stable.start()
    assert pair.status()["elapsed_seconds"] >= before["elapsed_seconds"]
    assert pair.status()["arms"]["candidate"]["answers"] >= before["arms"]["candidate"]["answers"]
    again = [(visitor, visitor.say(QUESTION)) for visitor in visitors]
    for visitor, number in again:
        assert visitor.answer(number)["reply"]
    # A dialogue keeps its model, also over a kill.
    rows = pair.stable.rows(
        "SELECT conversation_id, count(DISTINCT json_extract(detail, '$.arm')) FROM outbox GROUP BY 1"
    )
    assert {arms for _, arms in rows} == {1}
    while min(arm["answers"] for arm in pair.status()["arms"].values()) < 6:
        talk(pair, 4)
    pair.await_state("promoting")
    assert pair.rollout("confirm").returncode == 0
    pair.await_state("promoted")
    counts = pair.arms()
    assert counts["candidate"] == pair.candidate.count("outbox") - 1, "all but the trial question"
    talk(pair, 4)
    assert pair.arms()["candidate"] == counts["candidate"]
    steps = [step["reason"] for step in pair.status()["steps"]]
    assert [steps[0], steps[1], *steps[-2:]] == ["started", "loaded", "good", "confirmed"]
    assert pair.stable.get("/metrics").text.count('assistant_rollout_state{state="promoted"} 1.0') == 1


def test_a_model_that_people_find_worse_is_not_promoted(make_pair: Maker) -> None:
    pair = make_pair("demo-v2", "demo-v1")
    pair.begin(
        hours=str(2 * SECOND),
        extend_hours=str(SECOND),
        max_hours="8000",
        minimum_answers="3",
        minimum_ratings="3",
    )
    pair.await_state("running")
    while min(arm["ratings"] for arm in pair.status()["arms"].values()) < 3:
        talk(pair, 4, {"stable": 1, "candidate": -1})
    found = until(
        "the judge has seen the ratings",
        lambda: step if (step := pair.status()["steps"][-1])["reason"] == "ratings" else None,
    )
    assert "good ratings 0 of" in found["english"]
    assert pair.shown()["state"] == "running"
    refused = pair.rollout("promote")
    assert (refused.returncode, "good ratings 0 of" in refused.stderr) == (1, True)


def test_a_candidate_that_dies_is_rolled_back_and_nobody_notices(make_pair: Maker) -> None:
    pair = make_pair("demo-v1", "demo-v2")
    pair.begin(unreachable_seconds="8")
    pair.await_state("running")
    visitors = talk(pair, 6)
    pair.candidate.hold.touch()
    held = [(visitor, visitor.say(f"{QUESTION} HOLD")) for visitor in visitors]
    until("the candidate has some of them", pair.candidate.marker.exists)
    pair.candidate.kill()
    for visitor, number in held:
        answer = visitor.answer(number)
        assert answer["reply"].strip()
        assert not answer["failed"]
    assert pair.await_state("rolled_back")["reason"] in {"unreachable", "errors"}
    assert pair.stable.count("dead_letters") == 0
    assert pair.stable.get("/readyz").status_code == 200


def test_an_abort_frees_what_the_candidate_holds(make_pair: Maker) -> None:
    pair = make_pair("demo-v1", "demo-v2")
    pair.begin(share="1")
    pair.await_state("running")
    pair.candidate.hold.touch()
    visitor = Visitor(pair.stable)
    held = visitor.say(f"{QUESTION} HOLD")
    until("the candidate has it", pair.candidate.marker.exists)
    assert pair.rollout("abort", "--reason", "it hangs").returncode == 0
    assert visitor.answer(held)["reply"].strip()
    assert pair.await_state("aborted")["reason"] == "command_abort"
    assert pair.arms() == {"stable": 1, "candidate": 0}
    pair.candidate.hold.unlink()
    # A new one begins anew.
    pair.start_rollout(share="1")
    pair.await_state("running")
    assert [step["reason"] for step in pair.status()["steps"]] == ["started", "loaded"]
    assert pair.rollout("pause").returncode == 0
    pair.await_state("paused")
    talk(pair, 1)
    assert pair.arms() == {"stable": 2, "candidate": 0}
    clock = pair.status()["elapsed_seconds"]
    assert pair.rollout("resume").returncode == 0
    pair.await_state("running")
    talk(pair, 1)
    assert pair.arms() == {"stable": 2, "candidate": 1}
    assert pair.status()["elapsed_seconds"] >= clock
    # An API call's stream is by the candidate, too, and not from the cache.
    body = {"messages": [{"role": "user", "content": QUESTION}], "user": "somebody"}
    response = pair.stable.post("/v1/chat/completions", json=body, headers=HEADERS)
    assert response.json()["choices"][0]["message"]["content"].strip()
    assert pair.arms() == {"stable": 2, "candidate": 2}
