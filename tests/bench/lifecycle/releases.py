"""Rollouts beside people who use the service: how soon a bad candidate is gone, and who noticed."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from assistant.evaluation.questions import read_questions
from assistant.rollout.share import is_candidates, name_of_call, name_of_chat
from tests.bench.lifecycle.candidates import make
from tests.bench.lifecycle.evaluation import QUESTIONS
from tests.bench.lifecycle.people import Crowd, Turn
from tests.bench.lifecycle.rig import ENDED, Host, Service, State, candidate, service
from tests.bench.lifecycle.talks import FEISHU, TELEGRAM
from tests.bench.report import Figure
from tools.demo_model.shipped import shipped

# New people a second, each with two questions.
PER_SECOND = 1.5
BEFORE_SECONDS, AFTER_SECONDS = 6.0, 4.0
ROLLBACK_SECONDS = 240.0
CONVERSATIONS = 10_000
SHARE = 0.1
# A day in a minute, and a week in three; all that is judged is as it is by default. So many people that both
# arms have the 330 answers that prove the success within it (docs/rollout.md).
HURRY = {"hours": 0.018, "extend_hours": 0.003, "max_hours": 0.05, "tick_seconds": 1, "judge_seconds": 1}
HURRY_SHARE, HURRY_PER_SECOND = 0.5, 3.0
HURRY_SECONDS = 300.0


@dataclass(frozen=True)
class Release:
    """What a rollout came to, and what people met meanwhile.

    Times are in seconds: ``from_start`` from the candidate's start, ``from_fault`` from when the fault could
    first be seen, until the state was final. Turns of people of the stable arm and of the candidate's.
    """

    candidate: str
    round: int
    state: str
    reason: str
    from_start: float
    from_fault: float
    stable_turns: int
    stable_failures: int
    candidate_turns: int
    candidate_failures: int
    answers: dict[str, int]
    failures: list[str]


def share_of(count: int = CONVERSATIONS, share: float = SHARE) -> float:
    """Return which share of ``count`` conversations on all channels the service gives to the candidate."""
    key = secrets.token_hex(32)
    names = [
        name_of_call({"user": f"user-{n}"})
        if n % 3 == 0
        else name_of_chat(TELEGRAM, str(10**8 + n))
        if n % 3 == 1
        else name_of_chat(FEISHU, f"oc_{secrets.token_hex(16)}")
        for n in range(count)
    ]
    return sum(is_candidates(key, name, share) for name in names) / count


def faults(folder: Path, wanted: Sequence[str], rounds: int) -> tuple[list[Release], list[object]]:
    """Release candidates with each of the ``wanted`` faults beside a stable app with demo-v2, in turn.

    Raises:
        StageFailure: one was not rolled back, or a part did not start.
    """
    questions = read_questions(QUESTIONS).questions
    releases: list[Release] = []
    turns: list[object] = []
    with service(folder, "demo-v2") as made:
        for number in range(rounds):
            for fault in wanted:
                model = make(fault, folder / f"{fault}-{number}.gguf")
                crowd = Crowd(made.place, questions, 1 + len(releases))
                with crowd.coming(PER_SECOND):
                    time.sleep(BEFORE_SECONDS)
                    with candidate(made, model) as host:
                        ended = made.wait(*ENDED, seconds=ROLLBACK_SECONDS)
                        time.sleep(AFTER_SECONDS)
                model.unlink()
                release = _release(made, fault, number, host, ended, crowd.turns)
                releases.append(release)
                turns += [{"candidate": fault, "round": number, **asdict(turn)} for turn in crowd.turns]
                print(_line(release), flush=True)
    return releases, turns


def promotion(folder: Path, number: int, old: str, new: str) -> tuple[Release, list[object]]:
    """Release ``new`` beside a stable app with ``old``, a day in a minute, until it is decided.

    Where the service promotes, the host's part is done here: the new file in the old one's place, a start,
    and the confirmation.

    Raises:
        StageFailure: it was not decided, or a part did not start.
    """
    questions = read_questions(QUESTIONS).questions
    rules = [text for name, value in HURRY.items() for text in ("--set", f"{name}={value}")]
    with service(folder, old) as made:
        crowd = Crowd(made.place, questions, 1000 + number)
        with crowd.coming(HURRY_PER_SECOND):
            time.sleep(BEFORE_SECONDS)
            with candidate(made, shipped(new), "--share", str(HURRY_SHARE), *rules) as host:
                ended = made.wait("promoting", *ENDED, seconds=HURRY_SECONDS)
                if ended.state != "promoting":
                    time.sleep(AFTER_SECONDS)
        if ended.state == "promoting":
            made.put(shipped(new))
            made.command("confirm")
            ended = made.state()
        release = _release(made, f"{new}_over_{old}", number, host, ended, crowd.turns)
    print(_line(release), flush=True)
    return release, [{"candidate": release.candidate, **asdict(turn)} for turn in crowd.turns]


def _release(
    made: Service, name: str, number: int, host: Host, ended: State, turns: Sequence[Turn]
) -> Release:
    running = made.entered(ended.number, "running")
    of_candidate = [
        turn
        for turn in turns
        if running and turn.at >= running and is_candidates(ended.key, turn.name, ended.share)
    ]
    mine = set(map(id, of_candidate))
    of_stable = [turn for turn in turns if id(turn) not in mine]
    # A fault that the trial question shows is there from the start; others when the first person may meet it.
    begin = host.killed_at or running or host.began
    return Release(
        name,
        number,
        ended.state,
        ended.reason,
        ended.since - host.began,
        ended.since - begin,
        len(of_stable),
        sum(bool(turn.failure) for turn in of_stable),
        len(of_candidate),
        sum(bool(turn.failure) for turn in of_candidate),
        made.answers(ended.number),
        sorted({turn.failure for turn in turns if turn.failure}),
    )


def _line(release: Release) -> str:
    parts = [f"round {release.round} {release.candidate}: {release.state} ({release.reason})"]
    parts.append(f"after {release.from_fault:.1f} s, {release.from_start:.1f} s from its start")
    parts.append(f"stable arm {release.stable_failures} of {release.stable_turns} failed")
    parts.append(f"candidate's arm {release.candidate_failures} of {release.candidate_turns}")
    parts.append(f"answers {release.answers} {release.failures or ''}")
    return ", ".join(parts)


def figures(releases: Sequence[Release]) -> dict[str, Figure]:
    """Return the medians over the rounds with the least and the greatest, and all failures together."""
    result: dict[str, Figure] = {}
    for name in dict.fromkeys(release.candidate for release in releases):
        mine = [release for release in releases if release.candidate == name]
        for key, values in (
            (f"rollback_s_{name}", [release.from_fault for release in mine]),
            (f"rollback_from_start_s_{name}", [release.from_start for release in mine]),
        ):
            result |= {key: statistics.median(values), f"{key}_min": min(values), f"{key}_max": max(values)}
        result[f"rollback_reasons_{name}"] = ", ".join(sorted({release.reason for release in mine}))
    return result


def failures(releases: Sequence[Release]) -> dict[str, Figure]:
    """Return how many answers people did not get, of how many, by arm."""
    return {
        f"{arm}_arm_{what}": sum(getattr(release, f"{arm}_{what}") for release in releases)
        for arm in ("stable", "candidate")
        for what in ("failures", "turns")
    }
