"""``python -m assistant evaluate`` against a model server that enforces, fails, and takes its time."""

import json
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask import request

from assistant.evaluation.questions import read_questions
from assistant.messages import Incoming
from assistant.store import Database, Inbox, migrate
from assistant.store.models import RatingRow
from tests.emulators.model_server import ModelServer, Trouble, make_model_app
from tests.emulators.server import Server
from tests.integration.app.browser import browser
from tests.integration.app.process import APP, ROOT, until

QUESTIONS = ROOT / "files" / "evaluation" / "demo.jsonl"


class Desk:
    """Where an engineer sits: a model server, its token in a file, and the command."""

    def __init__(self, folder: Path, url: str, server: ModelServer) -> None:
        self.folder, self.url, self.server = folder, url, server
        self.token = folder / "token"
        self.token.write_text(server.key + "\n")
        self.few = folder / "few.jsonl"
        self.few.write_text("".join(QUESTIONS.read_text(encoding="utf-8").splitlines(keepends=True)[:6]))
        answers = {q.messages[-1].content: q.reference for q in read_questions(QUESTIONS).questions}
        server.answer = lambda body: [answers[body["messages"][-1]["content"]]]

    def start(
        self, *arguments: object, terminal: int = subprocess.PIPE, **environment: str
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "assistant", "evaluate", *map(str, arguments)],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(APP), "NO_PROXY": "*", **environment},
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
            # Whoever runs the tests in the background has it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def do(self, *arguments: object, **environment: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=120)
        finally:
            # Nothing stays behind where it hangs.
            process.kill()
        return process.returncode, out, err

    def run(self, name: str, *more: object) -> tuple[object, ...]:
        given = ("--questions", self.few, "--results", self.folder / name, "--url", self.url)
        return ("run", *given, "--token-file", self.token, "--share", 1, *more)

    def lines(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    server = ModelServer()
    app = make_model_app(server)

    @app.before_request
    def is_fresh() -> None:
        if request.method == "POST":
            assert request.headers.get("Cache-Control") == "no-store", "a cache may answer"

    with Server(app, "127.0.0.1", 0) as running:
        yield Desk(tmp_path, running.url, server)


def test_run_compare_and_report(desk: Desk) -> None:
    status, out, err = desk.do(*desk.run("good.jsonl"))
    assert (status, err) == (0, ""), err
    assert out.startswith("6 questions asked, 6 answered")
    assert desk.server.most_running == 1
    assert {(b["temperature"], b["seed"], b["model"]) for b in desk.server.asked} == {(0.0, 1, "first-model")}
    desk.server.answer = lambda body: ["I have no idea, 我不知道"]
    assert desk.do(*desk.run("bad.jsonl", "--model", "second-model"))[0] == 0
    paths = (desk.folder / "bad.jsonl", desk.folder / "good.jsonl")
    status, out, err = desk.do("compare", "--questions", desk.few, *paths, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["candidate"]["success"]["value"] == 1.0 and found["base"]["success"]["value"] == 0.0
    assert found["candidate"]["bleu"]["value"] == pytest.approx(100)
    assert found["comparison"]["verdict"] == "better"
    out_dir = desk.folder / "reports"
    arguments = ("--results", paths[1], "--base", paths[0], "--out", out_dir, "--month", "2026-02")
    status, out, err = desk.do("report", "--questions", desk.few, *arguments)
    assert status == 0, err
    assert sorted(p.name for p in out_dir.iterdir()) == ["2026-02.html", "2026-02.json", "index.html"]

    with browser(1000, 800) as page:
        page.driver.get((out_dir / "2026-02.html").as_uri())
        heading = page.one("h1")
        assert heading.text == "Evaluation of the model · 2026-02"
        page.one("#zh").click()
        assert heading.text == "模型评估 · 2026-02"
        assert page.script("return window.violations") == []
        page.driver.set_window_size(390, 800)
        assert page.script("return document.documentElement.scrollWidth <= window.innerWidth")


def test_results_that_were_asked_for_in_another_way_are_not_compared(desk: Desk) -> None:
    assert desk.do(*desk.run("a"))[0] == 0
    assert desk.do(*desk.run("b", "--max-tokens", 100))[0] == 0
    status, _, err = desk.do("compare", "--questions", desk.few, desk.folder / "a", desk.folder / "b")
    assert status == 1 and "max_tokens is 256 and 100" in err


def test_the_progress_is_shown_on_a_terminal(desk: Desk) -> None:
    mine, theirs = os.openpty()
    with os.fdopen(mine, "rb", buffering=0) as screen:
        termios.tcsetwinsize(theirs, (24, 80))
        process = desk.start(*desk.run("a"), terminal=theirs)
        os.close(theirs)
        process.communicate(timeout=120)
        shown = b""
        # Linux: reading what nobody holds the other end of any more is an error.
        with suppress(OSError):
            while piece := screen.read(4096):
                shown += piece
    assert b"6/6" in shown


@pytest.mark.parametrize(("sign", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_run_that_is_ended_goes_on_and_asks_nothing_twice_but_what_was_lost(
    desk: Desk, sign: signal.Signals, status: int
) -> None:
    desk.server.pause = 0.3
    process = desk.start(*desk.run("results.jsonl"))
    until("two answers", lambda: len(desk.lines("results.jsonl")) >= 3)
    process.send_signal(sign)
    process.communicate(timeout=60)
    assert process.returncode == status
    had = [line["id"] for line in desk.lines("results.jsonl")[1:]]
    assert 2 <= len(had) < 6
    desk.server.pause = 0.0
    asked = len(desk.server.asked)
    status, out, err = desk.do(*desk.run("results.jsonl"))
    assert status == 0, err
    assert out.startswith(f"{6 - len(had)} questions asked, 6 answered")
    assert len(desk.server.asked) - asked == 6 - len(had)
    assert [line["id"] for line in desk.lines("results.jsonl")[1:]] == [
        q.id for q in read_questions(desk.few).questions
    ]
    # Nothing is left to do; and another set's answers do not get into this file.
    assert desk.do(*desk.run("results.jsonl"))[1].startswith("0 questions asked")
    before = (desk.folder / "results.jsonl").read_bytes()
    desk.few.write_text(desk.few.read_text() + "\n")
    status, _, err = desk.do(*desk.run("results.jsonl"))
    assert status == 1 and "its questions_sha256 is" in err
    assert (desk.folder / "results.jsonl").read_bytes() == before


def test_a_busy_server_is_asked_again_and_a_failure_is_an_answer(desk: Desk) -> None:
    desk.server.fail(Trouble(429, {"message": "slow down"}), Trouble(400, {"message": "no such words"}))
    status, _, err = desk.do(*desk.run("results.jsonl"))
    assert status == 0, err
    lines = desk.lines("results.jsonl")[1:]
    assert [line["error"] for line in lines] == ["Refused", "", "", "", "", ""]
    assert lines[0]["finish_reason"] == "error"


def test_wrong_inputs_are_refused_with_a_reason(desk: Desk) -> None:
    desk.token.write_text("wrong")
    for arguments, said in (
        (desk.run("a"), "HTTP 401; check --token-file"),
        (desk.run("a", "--model", "first-model"), "refuses this (HTTP 401"),
        (desk.run("a", "--url", "http://127.0.0.1:9/v1"), "cannot be used (ConnectError)"),
        (desk.run("a", "--token-file", desk.folder / "none"), "--token-file"),
        (desk.run("a", "--questions", desk.folder / "none"), "--questions"),
    ):
        status, out, err = desk.do(*arguments)
        assert (status, out) == (1, ""), err
        assert said in err, err
        assert desk.server.key not in err
    assert desk.do(*desk.run("a", "--share", "0"))[0] == 2


def test_the_own_token_goes_to_the_own_service_only(desk: Desk) -> None:
    secrets = desk.folder / "secrets"
    secrets.mkdir()
    (secrets / "api_token").write_text(desk.server.key)
    arguments = ("run", "--questions", desk.few, "--results", desk.folder / "a", "--url", desk.url)
    status, _, err = desk.do(*arguments, ASSISTANT_SECRETS_DIR=str(secrets))
    assert status == 1 and "HTTP 401" in err


def test_a_report_shows_peoples_ratings(desk: Desk) -> None:
    assert desk.do(*desk.run("good.jsonl"))[0] == 0
    url = f"sqlite:///{desk.folder}/assistant.db"
    database = Database(url)
    migrate(database)
    days = [1] * 10 + [40] * 5
    numbers = [Inbox(database, 15.0).accept(Incoming("feishu", f"m{n}", "c", "q")) for n in range(len(days))]
    assert None not in numbers
    with database.write() as session:
        now = database.now(session)
        for number, age in enumerate(days):
            score = -1 if number in {3, 7} or age == 40 else 1
            at = now - age * 86400.0
            session.add(
                RatingRow(
                    inbox_id=numbers[number], platform="feishu", sender="ou_a", score=score, created_at=at
                )
            )
    database.close()
    given = ("--questions", desk.few, "--results", desk.folder / "good.jsonl", "--out", desk.folder / "out")
    environment = {"ASSISTANT_DATABASE_URL": url, "ASSISTANT_SECRETS_DIR": str(desk.folder)}
    more = ("--month", "2026-02", "--ratings-days", 30)
    status, _, err = desk.do("report", *given, *more, **environment)
    assert status == 0, err
    found = json.loads((desk.folder / "out" / "2026-02.json").read_text(encoding="utf-8"))["csat"]
    assert (found["all"]["good"], found["all"]["ratings"]) == (8, 10)
    assert round(found["all"]["low"], 3) == 0.490 and round(found["all"]["high"], 3) == 0.943


def test_a_report_with_ratings_needs_the_database(desk: Desk) -> None:
    assert desk.do(*desk.run("good.jsonl"))[0] == 0
    given = ("--questions", desk.few, "--results", desk.folder / "good.jsonl", "--out", desk.folder / "out")
    status, _, err = desk.do(
        "report",
        *given,
        "--ratings-days",
        30,
        ASSISTANT_DATABASE_URL=f"sqlite:///{desk.folder}/none.db",
        ASSISTANT_SECRETS_DIR=str(desk.folder),
    )
    assert status == 1 and "none.db is not there" in err
    assert not (desk.folder / "out").exists()
