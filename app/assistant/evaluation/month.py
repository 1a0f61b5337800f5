"""A month's evaluation as a whole: every step goes on where it was, whenever it was ended."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.evaluation import EvaluationError, OtherRunError
from assistant.evaluation.asking import Run
from assistant.evaluation.asking import run as ask
from assistant.evaluation.conversations import conversation_figures
from assistant.evaluation.conversations import run as ask_again
from assistant.evaluation.figures import Figures, Judged
from assistant.evaluation.judge import Opinions, ask_judge, judge_figures, opinions
from assistant.evaluation.questions import QuestionSet, read_questions
from assistant.evaluation.report import MONTH, write_index, write_report
from assistant.evaluation.results import alike, read_results
from assistant.evaluation.sample import collect, read_sample, write_sample
from assistant.store import Database
from assistant.store.ratings import Ratings

DAY = 86400.0
DAYS = 30
NO_BASE = "none"
UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Plan:
    """What is evaluated, and where it is kept.

    ``folder`` gets ``MONTH/`` with the results and ``reports/`` with the pages. ``base`` is the month that it
    is compared with, ``none``, or empty for the newest that can be compared. ``conversation_days`` 0 leaves
    out what people asked; ``most`` is how many of their questions are taken. ``judge`` is the judge model's
    endpoint, or None. Of reports and results the newest ``keep`` months stay.
    """

    folder: Path
    questions: Path
    wanted: Run
    base: str = ""
    conversation_days: int = 0
    most: int = 300
    judge: Run | None = None
    keep: int = 24

    @property
    def reports(self) -> Path:
        """Where the pages are."""
        return self.folder / "reports"


@dataclass(frozen=True)
class Done:
    """A month that is evaluated: its page, its figures, and what could not be had."""

    month: str
    page: Path
    figures: Figures
    notes: list[str]


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep a second evaluation out of ``folder`` meanwhile.

    Raises:
        EvaluationError: there is one, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EvaluationError(f"--folder: {folder} cannot be written ({error.strerror})") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EvaluationError(f"--folder: an evaluation runs in {folder}; wait for its end") from None
        yield
    finally:
        os.close(descriptor)


def present() -> str:
    """Return the present month (UTC)."""
    return f"{datetime.now(UTC):%Y-%m}"


def month_to_do(plan: Plan, month: str, *, again: bool) -> str:
    """Return which month is to be evaluated, and remember it until ``finished``; empty for none.

    Args:
        plan: where.
        month: ``YYYY-MM``; empty for the one that was begun and not finished, or else the present one (UTC).
        again: whether one that is finished is begun anew.

    Raises:
        EvaluationError: it is no month.
    """
    mark = plan.folder / UNFINISHED
    begun = mark.read_text(encoding="ascii").strip() if mark.exists() else ""
    chosen = month or begun or present()
    if not MONTH.fullmatch(chosen):
        raise EvaluationError(f"--month: {chosen} is no month; example: 2026-03")
    if chosen != begun:
        if (plan.reports / f"{chosen}.json").exists() and not again:
            return ""
        if again:
            shutil.rmtree(plan.folder / chosen, ignore_errors=True)
        new = mark.with_suffix(".new")
        new.write_text(chosen + "\n", encoding="ascii")
        new.replace(mark)
    return chosen


def finished(plan: Plan) -> None:
    """Forget that a month was begun: nothing is left to do."""
    (plan.folder / UNFINISHED).unlink(missing_ok=True)


def evaluate(plan: Plan, month: str, database: Database, say: Callable[[str], None]) -> Done:
    """Do what is left of ``month`` and write its report.

    Args:
        plan: what, and where.
        month: ``YYYY-MM``.
        database: where people's questions and ratings are.
        say: is told of each step.

    Raises:
        EvaluationError: a step is not possible now; what was done is kept.
    """
    questions = read_questions(plan.questions)
    own = plan.folder / month
    own.mkdir(mode=0o700, exist_ok=True)
    notes: list[str] = []
    curated = own / "curated.jsonl"
    say(f"{month}: {len(questions.questions)} curated questions")
    _anew(curated, say, lambda: ask(questions, curated, _telling(plan.wanted, say)))
    judged = Judged(questions, read_results(curated, questions))
    base_month, base = _base(plan, month, questions, judged)
    conversations = (
        _conversations(plan, own, questions, database, say, notes) if plan.conversation_days else None
    )
    judge = None
    if plan.judge is not None:
        judge = _judge(plan.judge, judged, own, base, plan.folder / base_month, say, notes)
    page, _ = write_report(
        plan.reports,
        judged,
        base,
        month=month,
        ratings=Ratings(database).satisfaction(DAYS * DAY),
        ratings_days=DAYS,
        conversations=conversations,
        judge=judge,
        base_month=base_month,
    )
    _forget_old(plan)
    write_index(plan.reports)
    return Done(month, page, read_report(page.with_suffix(".json")), notes)


def read_report(path: Path) -> Figures:
    """Return a report's figures."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _telling(wanted: Run, say: Callable[[str], None]) -> Run:
    return replace(wanted, told=lambda done, total: say(f"  {done} of {total}"))


def _anew(path: Path, say: Callable[[str], None], step: Callable[[], Any]) -> None:
    """Do ``step``; where ``path`` is of another model or other questions by now, begin it anew."""
    try:
        step()
    except OtherRunError as error:
        say(f"begun anew: {error}")
        path.unlink()
        step()


def _base(plan: Plan, month: str, questions: QuestionSet, judged: Judged) -> tuple[str, Judged | None]:
    """Return the month to compare with, and its answers; empty and None where there is none.

    Raises:
        EvaluationError: it was named and cannot be compared with.
    """
    if plan.base == NO_BASE:
        return "", None
    earlier = sorted(
        (p.name for p in plan.folder.iterdir() if MONTH.fullmatch(p.name) and p.name < month), reverse=True
    )
    for name in [plan.base] if plan.base else earlier:
        path = plan.folder / name / "curated.jsonl"
        try:
            results = read_results(path, questions)
            alike([results, judged.results], [path, plan.folder / month / "curated.jsonl"])
        except EvaluationError as error:
            if plan.base:
                raise EvaluationError(f"--base: {name} cannot be compared with: {error}") from None
            continue
        return name, Judged(questions, results)
    return "", None


def _conversations(
    plan: Plan,
    own: Path,
    questions: QuestionSet,
    database: Database,
    say: Callable[[str], None],
    notes: list[str],
) -> Figures | None:
    frozen, results = own / "sample.json", own / "conversations.jsonl"
    if not frozen.exists():
        try:
            days, curated = plan.conversation_days, questions.questions
            sample = collect(database, days=days, most=plan.most, seed=plan.wanted.seed, curated=curated)
        except EvaluationError as error:
            notes.append(f"without what people asked: {error}")
            return None
        write_sample(frozen, sample)
    sample = read_sample(frozen)
    say(f"{own.name}: {len(sample.items)} questions of people")
    _anew(results, say, lambda: ask_again(database, sample, results, _telling(plan.wanted, say)))
    return conversation_figures(sample, results)


def _judge(
    judge: Run,
    judged: Judged,
    own: Path,
    base: Judged | None,
    base_folder: Path,
    say: Callable[[str], None],
    notes: list[str],
) -> Figures | None:
    """Have the answers judged; what the judge does not do is noted, and is no fault of the model."""
    path = own / "judge.jsonl"
    say(f"{own.name}: a judge reads the answers")
    try:
        found: list[Opinions] = []
        _anew(path, say, lambda: found.append(ask_judge(judged, path, _telling(judge, say))))
    except EvaluationError as error:
        notes.append(f"without a judge's opinion: {error}")
        return None
    theirs = None
    if base is not None:
        try:
            theirs = opinions(base, base_folder / "judge.jsonl")
        except EvaluationError:
            notes.append("the judge has not read the answers that are compared with")
    return judge_figures(judged, found[-1], theirs)


def _forget_old(plan: Plan) -> None:
    for folder, pattern in ((plan.folder, "*"), (plan.reports, "*.json"), (plan.reports, "*.html")):
        months = sorted(p for p in folder.glob(pattern) if MONTH.fullmatch(p.stem))
        for path in months[: -plan.keep]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
