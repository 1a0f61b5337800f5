"""``python -m assistant evaluate``: asks a model questions, compares two models, makes a report."""

# What is heavy is imported where it is used: the health check, every ten seconds, loads this file too.
import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli import evaluate_month
from assistant.cli.evaluate_arguments import add_asking, add_questions, add_results, consent, wanted, whole

if TYPE_CHECKING:
    from assistant.evaluation.figures import Judged


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments to ``commands``."""
    parser = commands.add_parser(
        "evaluate",
        help="how good a model's answers are; safe beside a live service",
        epilog="Exit status: 0 done, 1 not possible, 2 wrong arguments, 130 interrupted (it can go on).",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    asking = actions.add_parser("run", help="ask a model all questions; one that was ended goes on")
    add_questions(asking)
    add_results(asking)
    add_asking(asking)
    _add_conversations(actions)
    comparing = actions.add_parser("compare", help="two models' results over the same questions, in pairs")
    add_questions(comparing)
    comparing.add_argument("base", type=Path, help="results of the model in use")
    comparing.add_argument("candidate", type=Path, help="results of the other one")
    comparing.add_argument("--json", action="store_true", help="one JSON object")
    report = actions.add_parser("report", help="a month's page (HTML) and figures (JSON)")
    add_questions(report)
    report.add_argument("--results", type=Path, required=True, help="of the model that the report is about")
    report.add_argument("--base", type=Path, help="results of a model to compare it with")
    report.add_argument("--month", default="", help="YYYY-MM (default: when the results were begun, UTC)")
    report.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for MONTH.html and MONTH.json; trend by those of earlier months",
    )
    report.add_argument(
        "--ratings-days",
        type=whole,
        default=0,
        help="with people's ratings of so many days, from the assistant's database (default: without)",
    )

    evaluate_month.add(actions)


def _add_conversations(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    collecting = actions.add_parser(
        "collect", help="freeze a sample of what people asked, without their words"
    )
    add_questions(collecting)
    collecting.add_argument("--out", type=Path, required=True, help="a new JSON file: numbers, no texts")
    collecting.add_argument("--days", type=whole, default=30, help="how far back (default: %(default)s)")
    collecting.add_argument(
        "--most", type=whole, default=300, help="so many questions (default: %(default)s)"
    )
    collecting.add_argument("--choice-seed", type=int, default=1, help="of the choice (default: %(default)s)")
    asking = actions.add_parser("run-conversations", help="ask a model such a sample, keep no answer")
    asking.add_argument("--sample", type=Path, required=True, help="what collect has made")
    asking.add_argument("--base", type=Path, help="another model's results, to compare with in pairs")
    add_results(asking)
    add_asking(asking)


def run(chosen: argparse.Namespace) -> int:
    """Do what the command line asks for; returns the exit status."""
    from assistant.cli.opened_database import CommandError
    from assistant.evaluation import EvaluationError

    actions = {
        "run": _run,
        "compare": _compare,
        "report": _report,
        "collect": _collect,
        "run-conversations": _run_conversations,
        "month": evaluate_month.run,
    }
    try:
        actions[chosen.action](chosen)
    except (EvaluationError, CommandError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"evaluate: {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("evaluate: interrupted; give the same command again and it goes on", file=sys.stderr)
        return 130
    return 0


def _run(chosen: argparse.Namespace) -> None:
    from assistant.evaluation.asking import run as ask
    from assistant.evaluation.questions import read_questions

    questions = read_questions(chosen.questions)
    asked = ask(questions, chosen.results, wanted(chosen))
    print(f"{asked} questions asked, {len(questions.questions)} answered: {chosen.results}")


def _collect(chosen: argparse.Namespace) -> None:
    from assistant.cli.opened_database import opened_database
    from assistant.evaluation.questions import read_questions
    from assistant.evaluation.sample import collect, write_sample

    kept = consent().retention_days
    curated = read_questions(chosen.questions).questions
    days = min(chosen.days, kept) if kept else chosen.days
    with opened_database("evaluate collect") as database:
        sample = collect(database, days=days, most=chosen.most, seed=chosen.choice_seed, curated=curated)
    write_sample(chosen.out, sample)
    print(f"{len(sample.items)} questions of {days} days, SHA-256 {sample.sha256}: {chosen.out}")


def _run_conversations(chosen: argparse.Namespace) -> None:
    from assistant.cli.opened_database import opened_database
    from assistant.evaluation.conversations import conversation_figures, run
    from assistant.evaluation.sample import read_sample

    consent()
    sample = read_sample(chosen.sample)
    with opened_database("evaluate run-conversations") as database:
        erased = run(database, sample, chosen.results, wanted(chosen))
    found = {**conversation_figures(sample, chosen.results, chosen.base), "erased": erased}
    print(json.dumps(found, ensure_ascii=False, indent=2))


def _judged(chosen: argparse.Namespace, *paths: Path) -> "list[Judged]":
    from assistant.evaluation.figures import Judged
    from assistant.evaluation.questions import read_questions
    from assistant.evaluation.results import alike, read_results

    questions = read_questions(chosen.questions)
    results = [read_results(path, questions) for path in paths]
    alike(results, paths)
    return [Judged(questions, one) for one in results]


def _compare(chosen: argparse.Namespace) -> None:
    from assistant.evaluation.figures import comparison, summary

    base, candidate = _judged(chosen, chosen.base, chosen.candidate)
    found = {
        "base": summary(base),
        "candidate": summary(candidate),
        "comparison": comparison(base, candidate),
    }
    if chosen.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for name in ("base", "candidate"):
        one = found[name]
        print(
            f"{name}: {one['model']}: success {_shown(one['success'], 100)} %, BLEU {_shown(one['bleu'])}, "
            f"p95 {one['seconds']['p95'] or 0:.2f} s"
        )
    pair = found["comparison"]
    print(
        f"difference: success {_shown(pair['success_difference'], 100)} points, BLEU "
        f"{_shown(pair['bleu_difference'])}; {pair['won']} answers won, {pair['lost']} lost"
    )
    print(f"the candidate is {pair['verdict']}")


def _shown(interval: dict[str, Any], factor: float = 1) -> str:
    value, low, high = (interval[name] * factor for name in ("value", "low", "high"))
    return f"{value:.1f} (95 %: {low:.1f} to {high:.1f})"


def _report(chosen: argparse.Namespace) -> None:
    from assistant.cli.opened_database import opened_database
    from assistant.evaluation.report import write_report
    from assistant.store.ratings import Ratings

    paths = [chosen.results] if chosen.base is None else [chosen.results, chosen.base]
    judged = _judged(chosen, *paths)
    ratings = None
    if chosen.ratings_days:
        with opened_database("evaluate report") as database:
            ratings = Ratings(database).satisfaction(chosen.ratings_days * 86400.0)
    page, figures = write_report(
        chosen.out,
        judged[0],
        judged[1] if chosen.base else None,
        month=chosen.month,
        ratings=ratings,
        ratings_days=chosen.ratings_days,
    )
    print(f"{page}\n{figures}")
