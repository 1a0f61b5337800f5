"""The command ``python -m assistant inbox``: for an engineer on call, beside the running service."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from assistant.cli.opened_database import FAILED, WRONG_USE, CommandError, opened_database
from assistant.messages import API
from assistant.store.dead_letters import DeadLetters, Entry, Key, Kind, NotGivenUpError, State

SAY_LIST = "`python3 -m assistant inbox list --state all` shows what there is"
# What people wrote, and the platform's ids by which they can be found again.
PERSONAL = ("text", "payload", "chat", "message_id", "reply_to")
# Of use to the process that holds the lease only.
INTERNAL = ("lease_token",)
COLUMNS = ("ID", "KIND", "CHANNEL", "STATE", "AGE", "ATTEMPTS", "REASON")


def run(chosen: argparse.Namespace) -> int:
    """Do what the command line says.

    Args:
        chosen: ``action`` (list, show, retry, discard) and its arguments, as ``__main__`` parses them.

    Returns:
        the exit status: 0, 1 when it could not be done, 2 when the command line is wrong.
    """
    actions = {"list": _list, "show": _show, "retry": _retry, "discard": _discard}
    try:
        with opened_database("inbox list") as database:
            return actions[chosen.action](DeadLetters(database), chosen)
    except CommandError as error:
        print(error, file=sys.stderr)
        return error.status


def _key(text: str) -> Key:
    match = re.fullmatch(r"(inbox|outbox)-([0-9]{1,18})", text)
    if match is None:
        hint = f"inbox-{text} or outbox-{text}" if text.isdigit() else "inbox-12 or outbox-7"
        raise CommandError(f"{text}: is no id; write it as list shows it, for example {hint}", WRONG_USE)
    return Key(Kind(match[1]), int(match[2]))


def _list(letters: DeadLetters, chosen: argparse.Namespace) -> int:
    states = [s for s in State if s is not State.DONE] if chosen.state == "all" else [State(chosen.state)]
    entries, total = letters.entries(states, chosen.limit)
    if chosen.json:
        print(json.dumps({"entries": [_as_json(e) for e in entries], "total": total}, ensure_ascii=False))
        return 0
    if not entries:
        print("Nothing was given up." if chosen.state == "given-up" else f"Nothing (--state {chosen.state}).")
        return 0
    rows = [COLUMNS, *(_as_row(entry) for entry in entries)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if total > len(entries):
        print(f"These are the oldest {len(entries)} of {total}; --limit {total} shows all.")
    return 0


def _as_json(entry: Entry) -> dict[str, object]:
    return {
        "id": str(entry.key),
        "kind": entry.key.kind.value,
        "channel": entry.channel,
        "state": entry.state.value,
        "age_seconds": round(entry.age, 1),
        "attempts": entry.attempts,
        "reason": entry.reason,
    }


def _as_row(entry: Entry) -> tuple[str, ...]:
    key = entry.key
    reason = entry.reason or "-"
    return (
        str(key),
        key.kind.value,
        entry.channel,
        entry.state.value,
        age(entry.age),
        str(entry.attempts),
        reason,
    )


def age(seconds: float) -> str:
    """Return a length of time in its two largest units, for example ``2 h 5 min``."""
    left = int(seconds)
    parts: list[str] = []
    for name, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, length)
        if number or (name == "s" and not parts):
            parts.append(f"{number} {name}")
        elif parts:
            break
    return " ".join(parts[:2])


def _show(letters: DeadLetters, chosen: argparse.Namespace) -> int:
    key = _key(chosen.id)
    entry, values = letters.entry(key), letters.details(key)
    if entry is None or values is None:
        raise _unknown(key)
    lines = {
        "id": str(key),
        "channel": entry.channel,
        "state": entry.state.value,
        "age": age(entry.age),
    }
    for name, value in values.items():
        if name in INTERNAL or name in {"id", "platform", "state"}:
            continue
        lines[name] = _shown(name, value) if chosen.text or name not in PERSONAL else _hidden(name, value)
    width = max(map(len, lines)) + 2
    for name, text in lines.items():
        # A text may have several lines, and codes that move a terminal's cursor.
        first, *more = [_printable(line) for line in text.split("\n")]
        print(f"{name + ':':{width}}{first}".rstrip())
        for line in more:
            print(" " * width + line)
    return 0


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _hidden(name: str, value: Any) -> str:
    if not value:
        return "-"
    return (
        f"hidden ({len(value)} characters); --text shows it" if name == "text" else "hidden; --text shows it"
    )


def _shown(name: str, value: Any) -> str:
    if value is None or value in ("", {}):
        return "-"
    if isinstance(value, float):
        # Every such column is a time; 0 is a lease that nobody holds.
        moment = datetime.fromtimestamp(value, UTC).isoformat(sep=" ", timespec="seconds")
        return moment.replace("+00:00", " UTC") if value else "-"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _unknown(key: Key) -> CommandError:
    return CommandError(f"{key}: there is no such message or reply; {SAY_LIST}")


def _wanted(letters: DeadLetters, chosen: argparse.Namespace) -> list[Entry]:
    """Return what a change is about, each once, in an order that keeps that of the conversations.

    Raises:
        CommandError: one of them is not there or was not given up; nothing was changed.
    """
    if bool(chosen.ids) == bool(chosen.all):
        raise CommandError(
            "name what you mean: either ids, for example inbox-12 outbox-7, or --all", WRONG_USE
        )
    if chosen.all:
        entries, _ = letters.entries([State.GIVEN_UP])
        return sorted(entries, key=lambda e: e.key)
    entries, problems = [], []
    for key in sorted({_key(text) for text in chosen.ids}):
        entry = letters.entry(key)
        if entry is None:
            problems.append(str(_unknown(key)))
        elif entry.state is not State.GIVEN_UP:
            problems.append(f"{key}: is {entry.state.value}, not given up; {SAY_LIST}")
        else:
            entries.append(entry)
    _refuse(problems)
    return entries


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise CommandError("\n".join([*problems, "Nothing was changed."]))


def _retry(letters: DeadLetters, chosen: argparse.Namespace) -> int:
    entries = _wanted(letters, chosen)
    calls = [e for e in entries if e.channel == API]
    if not chosen.all:
        _refuse([f"{e.key}: is an API call, and its caller is gone; discard it" for e in calls])
    for entry in calls:
        print(f"{entry.key}: left as it is: an API call, whose caller is gone; discard it")
    replaced: set[Key] = set()

    def put_back(key: Key) -> str:
        put = letters.retry(key)
        act = "answered" if key.kind is Kind.INBOX else "sent"
        line = f"{key}: put back, to be {act} again (given up: {put.reason or 'no reason noted'})"
        if put.apology is not None:
            replaced.add(put.apology)
            line += f"; its apology {put.apology} makes room for the answer"
        return line

    # Messages come before replies: an apology that was given up too has then made room for the answer.
    done, missed = _each((e.key for e in entries if e.channel != API and e.key not in replaced), put_back)
    print(f"{_number(done)} put back." if entries else "Nothing was given up.")
    return FAILED if missed else 0


def _discard(letters: DeadLetters, chosen: argparse.Namespace) -> int:
    entries = _wanted(letters, chosen)
    if entries and not chosen.yes:
        names = ", ".join(str(e.key) for e in entries[:20]) + (", ..." if len(entries) > 20 else "")
        raise CommandError(
            f"{_number(len(entries))} would be discarded ({names}); add --yes to do it", WRONG_USE
        )
    done, missed = _each(
        (entry.key for entry in entries),
        lambda key: f"{key}: discarded (given up: {letters.discard(key) or 'no reason noted'})",
    )
    end = "; still there under list --state discarded." if done else "."
    print(f"{_number(done)} discarded{end}" if entries else "Nothing was given up.")
    return FAILED if missed else 0


def _each(keys: Iterable[Key], change: Callable[[Key], str]) -> tuple[int, int]:
    """Change one after another and print what was done; return how many were, and how many could not be."""
    done, missed = 0, 0
    for key in keys:
        try:
            line = change(key)
        except NotGivenUpError as error:
            missed += 1
            print(
                f"{error.key}: somebody else has changed it meanwhile; it was left as it is", file=sys.stderr
            )
            continue
        done += 1
        print(line)
    return done, missed


def _number(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count} dead letters"
