"""``python -m assistant evaluate month``: all of a month's evaluation, begun or begun earlier."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.cli.evaluate_arguments import (
    add_asking,
    add_questions,
    good_settings,
    token_in,
    wanted,
    whole,
)

if TYPE_CHECKING:
    from assistant.evaluation.asking import Run
    from assistant.evaluation.month import Done
    from assistant.settings import Settings
    from assistant.store import Database

DAYS = 30
# A verdict is one sentence.
JUDGE_TOKENS = 300


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments to ``actions``."""
    parser = actions.add_parser(
        "month", help="a month's evaluation and report; one that was ended goes on, one that is done is left"
    )
    add_questions(parser)
    parser.add_argument(
        "--folder", type=Path, required=True, help="where results (MONTH/) and reports (reports/) are kept"
    )
    parser.add_argument("--month", default="", help="YYYY-MM (default: one that was begun, or this one, UTC)")
    parser.add_argument("--again", action="store_true", help="ask anew though the month has its report")
    parser.add_argument(
        "--base",
        default="",
        help="month to compare with, or none (default: the newest with the same questions)",
    )
    parser.add_argument(
        "--keep", type=whole, default=24, help="of so many months reports stay (default: %(default)s)"
    )
    parser.add_argument(
        "--most", type=whole, default=300, help="questions of people at most (default: %(default)s)"
    )
    parser.add_argument("--announce", action="store_true", help="tell the operators in their chat")
    parser.add_argument("--link", default="", help="address of the folder of reports, for what they are told")
    parser.add_argument(
        "--judge-url", default="", help="an OpenAI-compatible endpoint with a judge, up to /v1"
    )
    parser.add_argument("--judge-model", default="", help="its name there (default: the first listed)")
    parser.add_argument("--judge-key-file", type=Path, help="holds its bearer token")
    add_asking(parser)


def run(chosen: argparse.Namespace) -> None:
    """Do what the command line asks for.

    Raises:
        EvaluationError, CommandError: a step is not possible now; what was done is kept.
    """
    from assistant.cli.opened_database import opened_database
    from assistant.evaluation.month import Plan, evaluate, finished, month_to_do, only_one, present

    settings = good_settings()
    plan = Plan(
        folder=chosen.folder,
        questions=chosen.questions,
        wanted=wanted(chosen),
        base=chosen.base,
        conversation_days=_days(settings),
        most=chosen.most,
        judge=_judge(chosen),
        keep=chosen.keep,
    )
    with only_one(plan.folder), opened_database("evaluate month") as database:
        while month := month_to_do(plan, chosen.month, again=chosen.again):
            done = evaluate(plan, month, database, _say)
            _tell(chosen, settings, database, done)
            finished(plan)
            # Where an earlier month was left unfinished, the present one comes after it.
            if chosen.month or month >= present():
                return
        print("this month has its report; --again asks anew")


def _say(text: str) -> None:
    print(text, flush=True)


def _days(settings: "Settings") -> int:
    if not settings.evaluation_uses_conversations:
        return 0
    return min(DAYS, settings.retention_days) if settings.retention_days else DAYS


def _judge(chosen: argparse.Namespace) -> "Run | None":
    from assistant.evaluation.asking import Run

    if not chosen.judge_url:
        return None
    return Run(
        url=chosen.judge_url,
        key=token_in(chosen.judge_key_file, "--judge-key-file") if chosen.judge_key_file else "",
        model=chosen.judge_model,
        max_tokens=JUDGE_TOKENS,
        seed=chosen.seed,
        share=1.0,
        patience_seconds=chosen.patience,
    )


def _tell(chosen: argparse.Namespace, settings: "Settings", database: "Database", done: "Done") -> None:
    from assistant.evaluation.told import summary_texts
    from assistant.operators import Operators

    link = f"{chosen.link.rstrip('/')}/{done.page.name}" if chosen.link else ""
    english, chinese = summary_texts(done.figures, link)
    _say(english)
    for note in done.notes:
        _say(f"note: {note}")
    _say(f"{done.page}\n{done.page.with_suffix('.json')}")
    if chosen.announce:
        # Begun at another second is another evaluation of the month.
        key = f"evaluation-{done.month}-{done.figures['model']['started']:.3f}"
        chats = Operators(settings, database).announce(english, chinese, key=key)
        _say(f"operators were told in {chats} chats")
