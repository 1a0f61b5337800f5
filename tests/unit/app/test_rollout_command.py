"""``python -m assistant rollout``: what it does, and what it says where it cannot."""

import json
from pathlib import Path

import pytest

from assistant.__main__ import main
from assistant.rollout.rules import Rules
from assistant.store import Database, migrate
from assistant.store.rollout_answers import Made, RolloutAnswers
from assistant.store.rollouts import Rollouts, step

START = ("start", "--candidate", "demo-v2", "--url", "http://ai-candidate:8000/v1")


class Container:
    """The stable container, and what a command says in it."""

    def __init__(self, database: Database, secrets: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.rollouts, self.answers = Rollouts(database), RolloutAnswers(database)
        self.token, self._capture = secrets / "candidate_api_token", capture

    def do(self, *arguments: str) -> tuple[int, str]:
        status = main(["rollout", *arguments])
        out, err = self._capture.readouterr()
        assert "Traceback" not in err
        return status, out + err

    def run(self) -> None:
        newest = self.rollouts.newest()
        assert newest is not None
        assert self.rollouts.move(newest.number, step("running", "loaded", "loaded", "已加载"))

    @property
    def state(self) -> tuple[str, str]:
        newest = self.rollouts.newest()
        assert newest is not None
        return newest.state, newest.reason


@pytest.fixture
def container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Container:
    url = f"sqlite:///{tmp_path}/assistant.db"
    database = Database(url)
    migrate(database)
    (tmp_path / "secrets").mkdir()
    monkeypatch.setenv("ASSISTANT_DATABASE_URL", url)
    monkeypatch.setenv("ASSISTANT_SECRETS_DIR", str(tmp_path / "secrets"))
    monkeypatch.setenv("MODEL_PATH", str(tmp_path / "demo-v1.gguf"))
    found = Container(database, tmp_path / "secrets", capsys)
    found.token.write_text("token\n")
    return found


def test_before_the_first_one(container: Container) -> None:
    for action in ("status", "pause", "resume", "promote", "abort", "confirm"):
        assert container.do(action) == (3, container.do(action)[1])
    assert "never was a rollout" in container.do("abort")[1]
    assert container.do("status", "--json") == (3, "{}\n")


def test_it_begins_with_its_rules_and_another_one_begins_anew(container: Container) -> None:
    status, said = container.do(*START, "--share", "0.25", "--minimum-ratings", "0", "--set", "window=30")
    assert (status, container.state) == (0, ("loading", "started")), said
    found = json.loads(container.do("status", "--json")[1])
    assert (found["id"], found["candidate"], found["stable"], found["share"]) == (
        1,
        "demo-v2",
        "demo-v1",
        0.25,
    )
    assert found["rules"] == Rules(share=0.25, minimum_ratings=0, window=30).as_dict()
    assert container.do(*START)[0] == 0
    assert [one.reason for one in container.rollouts.steps(1)] == ["started", "replaced"]
    keys = {newest.key for newest in [container.rollouts.newest()] if newest is not None}
    assert all(len(bytes.fromhex(key)) == 32 for key in keys)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--set", "windw=3"), 2, "there is no rule 'windw'"),
        (("--share", "2"), 2, "share=2 must be a number from 0.001 to 1"),
        (("--minimum-answers", "0"), 2, "minimum_answers=0 must be a whole number"),
        (("--hours", "200"), 2, "max_hours"),
        (("--url", "ai-candidate"), 2, "--url: ai-candidate is no address"),
    ],
)
def test_a_wrong_start_changes_nothing(
    container: Container, arguments: tuple[str, ...], status: int, words: str
) -> None:
    found = container.do(*START, *arguments)
    assert found[0] == status
    assert words in found[1]
    assert container.rollouts.newest() is None


def test_without_a_token_it_says_where_that_belongs(container: Container) -> None:
    container.token.unlink()
    status, said = container.do(*START)
    assert (status, "candidate_api_token" in said, str(container.token) in said) == (1, True, True)


def test_pause_resume_and_abort(container: Container) -> None:
    container.do(*START)
    status, said = container.do("pause")
    assert (status, "is loading: only one that is running can be paused" in said) == (1, True)
    container.run()
    assert container.do("resume")[0] == 1
    assert container.do("pause")[0] == 0
    assert container.state == ("paused", "command_pause")
    assert container.do("resume")[0] == 0
    assert container.state == ("running", "command_resume")
    assert container.do("abort", "--reason", "on second thoughts")[0] == 0
    assert container.rollouts.steps(1)[-1].english.endswith("on second thoughts")
    assert container.do("abort")[0] == 1


def test_a_promotion_by_command_needs_proof_or_the_word_now(container: Container) -> None:
    container.do(*START, "--minimum-ratings", "0", "--minimum-answers", "5", "--set", "success_margin=0.6")
    assert container.do("confirm")[0] == 1
    container.run()
    status, said = container.do("promote")
    assert (status, container.state[0]) == (1, "running")
    assert "too few answers: 0 of the candidate" in said
    assert "--now" in said
    for arm in ("stable", "candidate"):
        for number in range(6):
            container.answers.add(Made(1, number, arm, "ok", 1.0))
    assert container.do("promote") == (0, "rollout 1 of demo-v2 is promoting now\n")
    assert container.do(*START)[0] == 1, "the one that is being promoted is not replaced"
    assert container.do("confirm")[0] == 0
    assert container.state == ("promoted", "confirmed")
    container.do(*START)
    container.run()
    assert container.do("promote", "--now")[0] == 0


@pytest.mark.parametrize(
    ("running", "arguments", "reason"),
    [
        (False, ("--exited", "3"), "load"),
        (False, ("--exited", "137", "--oom-killed"), "oom"),
        (True, ("--exited", "139"), "exited"),
        (True, ("--exited", "137", "--oom-killed"), "oom"),
    ],
)
def test_the_agents_report_of_an_end_rolls_back_once(
    container: Container, running: bool, arguments: tuple[str, ...], reason: str
) -> None:
    container.do(*START)
    if running:
        container.run()
    assert container.do("report", "--promotion-failed", "x")[0] == 1
    assert container.do("report", *arguments)[0] == 0
    assert container.state == ("rolled_back", reason)
    assert container.do("report", *arguments)[0] == 1


def test_a_promotion_that_failed_is_taken_back_and_an_exit_meanwhile_is_none(container: Container) -> None:
    container.do(*START)
    container.run()
    container.do("promote", "--now")
    assert container.do("report", "--exited", "0")[0] == 1
    assert container.do("report", "--promotion-failed", "not ready in 300 s")[0] == 0
    assert container.state == ("rolled_back", "promotion_failed")
    assert "not ready in 300 s" in container.do("status")[1]


def test_the_screen_shows_both_arms_and_what_is_lacking(container: Container) -> None:
    container.do(*START)
    container.run()
    container.answers.add(Made(1, 1, "candidate", "ok", 1.25))
    container.answers.add(Made(1, 2, "stable", "error", 2.0))
    text = container.do("status")[1]
    assert "rollout 1: demo-v2 in place of demo-v1" in text
    assert "candidate: 1 answers (1 whole, 0 cut, 0 empty, 0 errors), p50 1.25 s" in text
    assert "stable: 1 answers (0 whole, 0 cut, 0 empty, 1 errors), no times yet" in text
    assert "lacking: too few answers: 1 of the candidate and 1 of stable, 200 are needed of each" in text
