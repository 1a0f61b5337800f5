"""``python -m assistant evaluate month``: resumed, compared, judged by a model, told to the operators."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from assistant.evaluation.judge import RUBRIC
from assistant.evaluation.questions import read_questions
from assistant.store.models import InboxRow, OutboxRow
from tests.emulators.model_server import ModelServer, Trouble, make_model_app
from tests.emulators.server import Server
from tests.integration.app.process import until
from tests.integration.app.test_evaluate import Desk
from tests.integration.app.test_evaluate_conversations import Archive

BOSS = "482910375"
PASS = '{"reason": "it is all there", "verdict": "pass"}'
FAIL = '{"reason": "a fact is missing", "verdict": "fail"}'


class Office(Desk):
    """A desk with the assistant's database, its operators' chat, and a folder of months."""

    def __init__(self, folder: Path, url: str, server: ModelServer, archive: Archive) -> None:
        super().__init__(folder, url, server)
        self.archive, self.state = archive, folder / "state"
        self.reports = self.state / "reports"
        secrets = folder / "secrets"
        secrets.mkdir()
        (secrets / "telegram_bot_token").write_text("123456789:AAE-abcdefghijklmnopqrstuvwxyz01234\n")
        self.environment = {
            "ASSISTANT_DATABASE_URL": archive.url,
            "ASSISTANT_SECRETS_DIR": str(secrets),
            "ASSISTANT_BACKEND_URL": url,
            "ASSISTANT_API_ENABLED": "false",
            "ASSISTANT_WEB_CHAT_ACCESS": "open",
            "ASSISTANT_TELEGRAM_ENABLED": "true",
            "ASSISTANT_TELEGRAM_MODE": "polling",
            "ASSISTANT_OPERATORS_TELEGRAM_CHAT": BOSS,
        }

    def arguments(self, *more: object) -> tuple[object, ...]:
        given = (
            "--questions",
            self.few,
            "--folder",
            self.state,
            "--url",
            self.url,
            "--token-file",
            self.token,
        )
        return ("month", *given, "--share", 1, "--announce", "--link", "https://a.example/reports", *more)

    def month(self, *more: object, **changes: str) -> tuple[int, str, str]:
        return self.do(*self.arguments(*more), **{**self.environment, **changes})

    def begin(self, *more: object) -> "subprocess.Popen[str]":
        return self.start(*self.arguments(*more), **self.environment)

    def report(self, month: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.reports / f"{month}.json").read_text(encoding="utf-8"))
        return found

    def announced(self) -> list[str]:
        with self.archive.database.read() as session:
            found = select(OutboxRow.text).where(OutboxRow.platform == "telegram", OutboxRow.chat == BOSS)
            return list(session.execute(found.order_by(OutboxRow.id)).scalars())

    def asked(self) -> list[str]:
        return [body["messages"][-1]["content"] for body in self.server.asked]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    server = ModelServer()
    archive = Archive(tmp_path)
    with Server(make_model_app(server), "127.0.0.1", 0) as running:
        yield Office(tmp_path, running.url, server, archive)
    archive.database.close()


def test_a_month_that_was_killed_goes_on_and_is_told_once(office: Office) -> None:
    office.server.pause = 0.15
    process = office.begin()
    results = "state/{}/curated.jsonl"
    (month,) = until("it began", lambda: [p.parent.name for p in office.state.glob("20*/curated.jsonl")])
    until("two answers are there", lambda: len(office.lines(results.format(month))) >= 3)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list(office.reports.glob("*")) and office.announced() == []
    begun = (office.state / "unfinished").read_text().strip()
    assert begun == month
    office.server.pause = 0.0
    done = [line["id"] for line in office.lines(results.format(month))[1:]]
    before = len(office.asked())

    # Where the calendar is in another month by then, what was begun is done first.
    (office.state / month).rename(office.state / "2026-01")
    (office.state / "unfinished").write_text("2026-01\n")
    status, out, err = office.month()
    assert (status, err) == (0, ""), err
    assert len(office.asked()) - before == 6 - len(done) + 6, "what was answered is not asked again"
    names = {f"{name}.{kind}" for name in ("2026-01", month) for kind in ("html", "json")}
    assert {p.name for p in office.reports.iterdir()} == names | {"index.html"}
    assert not (office.state / "unfinished").exists()
    told, second = office.announced()
    assert f"Evaluation {month}: first-model" in second
    assert "Evaluation 2026-01: first-model" in told and "模型评估 2026-01" in told
    assert "https://a.example/reports/2026-01.html" in told
    assert "Success rate, %: 100.0" in out

    count = len(office.asked())
    status, out, _ = office.month("--month", "2026-01")
    assert (status, len(office.asked())) == (0, count)
    assert "--again" in out
    assert office.month("--month", "2026-01", "--again")[0] == 0
    assert len(office.asked()) == count + 6
    assert len(office.announced()) == 3


def test_months_are_compared_and_old_ones_go(office: Office) -> None:
    answers = {q.messages[-1].content: q.reference for q in read_questions(office.few).questions}
    worst = read_questions(office.few).questions[0].messages[-1].content
    assert office.month("--month", "2026-01")[0] == 0
    office.server.answer = lambda body: [
        "" if body["messages"][-1]["content"] == worst else answers[body["messages"][-1]["content"]]
    ]
    assert office.month("--month", "2026-02", "--model", "second-model")[0] == 0
    found = office.report("2026-02")
    assert (found["base_month"], found["base"]["model"]) == ("2026-01", "first-model")
    assert (found["comparison"]["won"], found["comparison"]["lost"]) == (0, 1)
    assert [row["id"] for row in found["changed"]] == [read_questions(office.few).questions[0].id]
    assert "Compared with 2026-01 (first-model)" in office.announced()[1]
    status, _, err = office.month("--month", "2026-03", "--base", "2025-12")
    assert status == 1 and "--base: 2025-12 cannot be compared with" in err
    assert office.month("--month", "2026-03", "--base", "none", "--keep", 2)[0] == 0
    assert office.report("2026-03")["comparison"] is None
    assert sorted(p.name for p in office.reports.glob("*.json")) == ["2026-02.json", "2026-03.json"]
    assert sorted(p.name for p in office.state.glob("20*")) == ["2026-02", "2026-03"]


def test_answers_of_a_model_that_was_replaced_meanwhile_are_not_mixed(office: Office) -> None:
    # Two answers, then the server is away until patience ends.
    office.server.fail(Trouble(), Trouble(), *[Trouble(status=503, error={"message": "away"})] * 20)
    status, _, err = office.month("--month", "2026-01", "--patience", 1)
    assert status == 1 and "busy or away" in err
    office.server.troubles.clear()
    office.server.models = ["newer-model"]
    status, out, err = office.month()
    assert (status, err) == (0, "")
    assert "begun anew" in out and "its model is first-model, now it is newer-model" in out
    assert office.report("2026-01")["model"]["model"] == "newer-model"
    assert len(office.lines("state/2026-01/curated.jsonl")) == 1 + 6


def test_a_judge_reads_the_answers_and_its_faults_are_nobodys(office: Office) -> None:
    questions = read_questions(office.few).questions
    judge = ModelServer(key="judge-key-0123456789")
    key = office.folder / "judge-key"
    key.write_text(judge.key + "\n")
    strange, late, wrong = (q.reference for q in questions[:3])
    seen: dict[str, int] = {}

    def verdict(body: dict[str, Any]) -> list[str]:
        system, user = (m["content"] for m in body["messages"])
        assert system == RUBRIC and body["temperature"] == 0.0
        mark = user.split("<ANSWER ")[1].split(">")[0]
        given = user.split(f"<ANSWER {mark}>\n")[1].split(f"\n</ANSWER {mark}>")[0]
        seen[given] = seen.get(given, 0) + 1
        if given == strange:
            return ["I think that it passes"]
        if given == late and seen[given] == 1:
            return ["```", PASS, "```"]
        return [FAIL if given == wrong else PASS]

    judge.answer = verdict
    with Server(make_model_app(judge), "127.0.0.1", 0) as running:
        asked = ("--judge-url", f"{running.url}/v1", "--judge-key-file", key, "--judge-model", "second-model")
        status, _, err = office.month("--month", "2026-01", *asked)
        assert (status, err) == (0, ""), err
        found = office.report("2026-01")["judge"]
        # Six answers, all right by the rules: one without a verdict, one that fails, four that pass.
        assert (found["answers"], found["judged"], found["without_verdict"]) == (6, 5, 1)
        assert found["judged_success"]["value"] == 4 / 5
        assert found["agreement"]["share"] == 4 / 5 and found["agreement"]["only_rules"] == 1
        assert found["model"] == "second-model"
        assert office.report("2026-01")["model"]["success"]["value"] == 1.0, "the rules decide"
        assert (seen[strange], seen[late], seen[wrong]) == (2, 2, 1)
        assert "Passed by the judge, %: 80.0" in office.announced()[0]
        page = (office.reports / "2026-01.html").read_text(encoding="utf-8")
        assert "second-model" in page and "评审模型" in page
        key.write_text("another-key\n")
        status, out, _ = office.month("--month", "2026-02", *asked)
    assert status == 0
    assert "note: without a judge's opinion" in out
    assert office.report("2026-02")["judge"] is None
    assert office.report("2026-02")["model"]["success"]["value"] == 1.0


def test_what_people_asked_is_in_the_report_with_their_consent_only(office: Office) -> None:
    for n in range(12):
        office.archive.ask(f"How do I replace part number {n} of the machine?")
        office.archive.ask(f"第 {n} 号零件怎么换？", platform="feishu", sender="ou_a")
    office.server.answer = lambda body: ["好的，很简单。"]
    assert office.month("--month", "2026-01")[0] == 0
    assert office.report("2026-01")["conversations"] is None
    assert not any("part number" in asked for asked in office.asked())
    consent = {"ASSISTANT_EVALUATION_USES_CONVERSATIONS": "true"}
    status, _, err = office.month("--month", "2026-02", **consent)
    assert (status, err) == (0, ""), err
    found = office.report("2026-02")["conversations"]
    assert (found["questions"], found["answered"]) == (24, 24)
    # A Chinese answer to an English question is in the wrong language.
    assert (found["well_formed"]["good"], found["broken_rules"]) == (12, {"language": 12})
    kept = (office.state / "2026-02" / "conversations.jsonl").read_text() + json.dumps(found)
    assert "part number" not in kept and "零件" not in kept
    with office.archive.database.read() as session:
        assert not session.execute(select(InboxRow.id).where(InboxRow.platform == "api")).all()


def test_two_at_once_and_a_wrong_month_are_refused(office: Office) -> None:
    status, _, err = office.month("--month", "2026-13")
    assert status == 1 and "2026-13 is no month" in err
    office.server.pause = 0.3
    process = office.begin()
    try:
        until("it began", lambda: office.asked())
        status, _, err = office.month()
    finally:
        process.kill()
        process.communicate()
    assert status == 1 and "an evaluation runs in" in err
