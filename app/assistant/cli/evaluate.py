"""``python -m assistant evaluate``: asks a model questions, compares two models, makes a report."""

# What is heavy is imported where it is used: the health check, every ten seconds, loads this file too.
import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.evaluation.asking import Run
    from assistant.evaluation.figures import Judged
    from assistant.settings import Settings

OWN_URL = "http://127.0.0.1:8000/v1"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments to ``commands``."""
    parser = commands.add_parser(
        "evaluate",
        help="how good a model's answers are; safe beside a live service",
        epilog="Exit status: 0 done, 1 not possible, 2 wrong arguments, 130 interrupted (it can go on).",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    asking = actions.add_parser("run", help="ask a model all questions; one that was ended goes on")
    _add_questions(asking)
    _add_asking(asking)
    _add_conversations(actions)
    comparing = actions.add_parser("compare", help="two models' results over the same questions, in pairs")
    _add_questions(comparing)
    comparing.add_argument("base", type=Path, help="results of the model in use")
    comparing.add_argument("candidate", type=Path, help="results of the other one")
    comparing.add_argument("--json", action="store_true", help="one JSON object")
    report = actions.add_parser("report", help="a month's page (HTML) and figures (JSON)")
    _add_questions(report)
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
        type=_whole,
        default=0,
        help="with people's ratings of so many days, from the assistant's database (default: without)",
    )


def _add_asking(asking: argparse.ArgumentParser) -> None:
    asking.add_argument("--results", type=Path, required=True, help="JSON lines: the answers are added to it")
    asking.add_argument(
        "--url", default=OWN_URL, help="any OpenAI-compatible endpoint, up to /v1 (default: %(default)s)"
    )
    asking.add_argument(
        "--token-file",
        type=Path,
        help="holds the endpoint's bearer token (default: this assistant's own, for its own --url only)",
    )
    asking.add_argument("--model", default="", help="its name there (default: the first that is listed)")
    asking.add_argument("--max-tokens", type=_whole, default=256, help="of an answer (default: %(default)s)")
    asking.add_argument("--seed", type=int, default=1, help="sent with each request (default: %(default)s)")
    asking.add_argument(
        "--share",
        type=_share,
        default=0.5,
        help="the most of the time that the model is kept busy, above 0 and up to 1 (default: %(default)s)",
    )
    asking.add_argument(
        "--patience",
        type=_whole,
        default=600,
        help="seconds that a server may be busy or away before the run ends (default: %(default)s)",
    )


def _add_conversations(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    collecting = actions.add_parser(
        "collect", help="freeze a sample of what people asked, without their words"
    )
    _add_questions(collecting)
    collecting.add_argument("--out", type=Path, required=True, help="a new JSON file: numbers, no texts")
    collecting.add_argument("--days", type=_whole, default=30, help="how far back (default: %(default)s)")
    collecting.add_argument(
        "--most", type=_whole, default=300, help="so many questions (default: %(default)s)"
    )
    collecting.add_argument("--choice-seed", type=int, default=1, help="of the choice (default: %(default)s)")
    asking = actions.add_parser("run-conversations", help="ask a model such a sample, keep no answer")
    asking.add_argument("--sample", type=Path, required=True, help="what collect has made")
    asking.add_argument("--base", type=Path, help="another model's results, to compare with in pairs")
    _add_asking(asking)


def _add_questions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines, see docs/evaluation.md")


def _whole(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value} is no whole number from 1 on")
    return int(value)


def _share(value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{value} is not above 0 and up to 1; example: 0.5")
    return share


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
    asked = ask(questions, chosen.results, _wanted(chosen))
    print(f"{asked} questions asked, {len(questions.questions)} answered: {chosen.results}")


def _wanted(chosen: argparse.Namespace) -> "Run":
    from assistant.evaluation.asking import Run

    # Beside the live service on its own machine: whatever is to be done here can wait.
    os.nice(10)
    return Run(
        url=chosen.url,
        key=_token(chosen),
        model=chosen.model,
        max_tokens=chosen.max_tokens,
        seed=chosen.seed,
        share=chosen.share,
        patience_seconds=chosen.patience,
    )


def _consent() -> "Settings":
    from assistant.evaluation import EvaluationError
    from assistant.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        raise EvaluationError(str(error)) from None
    if not settings.evaluation_uses_conversations:
        raise EvaluationError(
            "ASSISTANT_EVALUATION_USES_CONVERSATIONS is off: what people wrote is not used. If they know "
            "of it and may refuse, set assistant_evaluation_uses_conversations: true in main.yml"
        )
    return settings


def _collect(chosen: argparse.Namespace) -> None:
    from assistant.cli.opened_database import opened_database
    from assistant.evaluation.questions import read_questions
    from assistant.evaluation.sample import collect, write_sample

    kept = _consent().retention_days
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

    _consent()
    sample = read_sample(chosen.sample)
    with opened_database("evaluate run-conversations") as database:
        erased = run(database, sample, chosen.results, _wanted(chosen))
    found = {**conversation_figures(sample, chosen.results, chosen.base), "erased": erased}
    print(json.dumps(found, ensure_ascii=False, indent=2))


def _token(chosen: argparse.Namespace) -> str:
    from assistant.evaluation import EvaluationError

    path: Path | None = chosen.token_file
    if path is None:
        # The own token is for the own service: it must not be sent anywhere else.
        own = Path(os.environ.get("ASSISTANT_SECRETS_DIR") or "/run/secrets") / "api_token"
        if chosen.url != OWN_URL or not own.exists():
            return ""
        path = own
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise EvaluationError(f"--token-file: {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise EvaluationError(f"--token-file: {path} holds no token: it is not ASCII") from None


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
