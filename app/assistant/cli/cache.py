"""``python -m assistant cache``: frequent questions, pinned answers, and forgetting what was answered before.

Safe beside a live service: it follows within two seconds.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from assistant.answers.pinned import PinnedError, parse_pins, read_pins
from assistant.answers.question import normalised
from assistant.cli.opened_database import WRONG_USE, CommandError, opened_database
from assistant.settings import PREFIX
from assistant.store import Database
from assistant.store.frequent import frequent
from assistant.store.known_answers import KnownAnswers

DAY = 86400.0
FOUND, NOTHING = 0, 3
FILE = f"{PREFIX}PINNED_ANSWERS_FILE"


def run(chosen: argparse.Namespace) -> int:
    """Do what the command line says; returns the exit status."""
    actions = {"top": _top, "clear": _clear, "list": _list, "pin": _pin, "unpin": _unpin}
    try:
        with opened_database(f"cache {chosen.action}", keys_must_fit=chosen.action == "top") as database:
            return actions[chosen.action](database, chosen)
    except CommandError as error:
        print(f"cache: {error}", file=sys.stderr)
        return error.status


def _top(database: Database, chosen: argparse.Namespace) -> int:
    found = frequent(database, chosen.days * DAY, normalised)
    rows: list[dict[str, Any]] = [
        {
            # One person's words are nobody's statistics.
            "question": one.text if len(one.askers) >= chosen.askers else None,
            "asked": one.asked,
            "askers": len(one.askers),
            "without_model": one.without_model,
            "bad_ratings": one.bad_ratings,
        }
        for one in found
    ]
    shown = [row for row in rows if row["question"] is not None][: chosen.limit]
    hidden = [row for row in rows if row["question"] is None]
    summary = {
        "days": chosen.days,
        "askers_at_least": chosen.askers,
        "questions": shown,
        "not_shown": {"questions": len(hidden), "asked": sum(row["asked"] for row in hidden)},
    }
    if chosen.json:
        print(json.dumps(summary, ensure_ascii=False, indent=2))
        return FOUND
    print(f"the last {chosen.days} days; questions of {chosen.askers} people or more")
    if shown:
        print("  asked  people  without the model  rated bad  question")
    for row in shown:
        print(
            f"{row['asked']:>7} {row['askers']:>7} {row['without_model']:>18} {row['bad_ratings']:>10}"
            f"  {_one_line(row['question'])}"
        )
    print(f"not shown, of fewer people: {len(hidden)} questions, asked {summary['not_shown']['asked']} times")
    return FOUND


def _clear(database: Database, _chosen: argparse.Namespace) -> int:
    KnownAnswers(database).clear()
    print("cleared: every service forgets its cached answers within two seconds; pinned answers stay")
    return FOUND


def _list(database: Database, chosen: argparse.Namespace) -> int:
    rows: list[dict[str, Any]] = [
        {"id": row.number, "language": row.language, "question": row.question, "answer": row.answer}
        for row in KnownAnswers(database).pins()
    ]
    path = os.environ.get(FILE)
    try:
        pins = read_pins(Path(path)) if path else []
    except PinnedError as error:
        raise CommandError(f"{FILE}: {error}") from None
    for pin in pins:
        for language, answer in pin.answers.items():
            rows.append({"id": 0, "language": language, "question": pin.question, "answer": answer})
    if chosen.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return FOUND
    for row in rows:
        where = f"pin {row['id']}" if row["id"] else "file"
        print(
            f"{where} [{row['language'] or 'any'}] {_one_line(row['question'])}\n  {_one_line(row['answer'])}"
        )
    if not rows:
        print("no answer is pinned")
    return FOUND


def _pin(database: Database, chosen: argparse.Namespace) -> int:
    name = f"answer_{chosen.language}" if chosen.language else "answer"
    try:
        parse_pins([{"questions": [chosen.question], name: chosen.answer}])
    except PinnedError as error:
        print(f"cache pin: {str(error).removeprefix('entry 1: ')}", file=sys.stderr)
        return WRONG_USE
    known = KnownAnswers(database)
    same = normalised(chosen.question)
    old = [
        row.number
        for row in known.pins()
        if row.language == chosen.language and normalised(row.question) == same
    ]
    number = known.pin(chosen.question, chosen.language, chosen.answer)
    known.unpin(old)
    print(f"pinned as {number}" + (f", in place of {', '.join(map(str, old))}" if old else ""))
    return FOUND


def _unpin(database: Database, chosen: argparse.Namespace) -> int:
    found = KnownAnswers(database).unpin(chosen.ids)
    for number in chosen.ids:
        print(f"pin {number}: removed" if number in found else f"pin {number}: there is none")
    return FOUND if len(found) == len(set(chosen.ids)) else NOTHING


def _one_line(text: str) -> str:
    # Controls would let a person write over the operator's screen.
    shown = " ".join("".join(c if c.isprintable() or c.isspace() else "?" for c in text).split())
    return shown if len(shown) <= 200 else f"{shown[:199]}…"
