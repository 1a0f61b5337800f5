"""``python -m assistant rollout``: a new model for a share of the conversations; see docs/rollout.md.

The commands write into the database; the running service follows within seconds.
"""

import argparse
import json
import os
import secrets
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.rollout.reasons import Reason
    from assistant.store import Database
    from assistant.store.rollouts import Rollout, Rollouts

DONE, IMPOSSIBLE, WRONG_USE, NONE = 0, 1, 2, 3
TOKEN = "candidate_api_token"  # noqa: S105 - a file's name


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments to ``commands``."""
    parser = commands.add_parser(
        "rollout",
        help="a new model for a share of the conversations, judged and rolled back by itself",
        epilog="Exit status: 0 done, 1 not possible, 2 wrong arguments, 3 there is no rollout.",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    start = actions.add_parser("start", help="begin with a candidate that runs already; ends an earlier one")
    start.add_argument("--candidate", required=True, metavar="NAME", help="the new model's name")
    start.add_argument("--url", required=True, help="its API, up to /v1")
    start.add_argument("--stable", default="", metavar="NAME", help="the model in use (default: MODEL_PATH)")
    for name in ("share", "hours"):
        start.add_argument(f"--{name}", help=f"the rule {name}")
    start.add_argument("--minimum-answers", metavar="N", help="the rule minimum_answers")
    start.add_argument("--minimum-ratings", metavar="N", help="the rule minimum_ratings")
    start.add_argument("--set", action="append", default=[], metavar="RULE=VALUE", help="any other rule")
    status = actions.add_parser("status", help="how it stands, and what it still lacks")
    status.add_argument("--json", action="store_true", help="one JSON object; times in seconds")
    actions.add_parser("pause", help="no new conversations for the candidate; the clock stands still")
    actions.add_parser("resume", help="go on after a pause")
    promote = actions.add_parser("promote", help="promote without waiting, if the numbers are good enough")
    promote.add_argument("--now", action="store_true", help="whatever the numbers say")
    abort = actions.add_parser("abort", help="end it; the stable model answers everybody at once")
    abort.add_argument("--reason", default="", metavar="TEXT", help="for the operators")
    report = actions.add_parser("report", help="for the host's agent: what became of the candidate")
    what = report.add_mutually_exclusive_group(required=True)
    what.add_argument("--exited", type=int, metavar="CODE", help="its container ended")
    what.add_argument("--promotion-failed", default="", metavar="TEXT", help="it was not well in its place")
    report.add_argument("--oom-killed", action="store_true", help="the kernel ended it for want of memory")
    actions.add_parser("confirm", help="for the host's agent: the promoted model answers and is well")


def run(chosen: argparse.Namespace) -> int:
    """Do what the command line says; returns the exit status."""
    from assistant.cli.opened_database import CommandError, opened_database
    from assistant.rollout.rules import RulesError
    from assistant.store.rollouts import Rollouts

    actions = {
        "start": _start,
        "status": _status,
        "pause": _pause,
        "resume": _resume,
        "promote": _promote,
        "abort": _abort,
        "report": _report,
        "confirm": _confirm,
    }
    try:
        with opened_database(f"rollout {chosen.action}", keys_must_fit=False) as database:
            return actions[chosen.action](database, Rollouts(database), chosen)
    except RulesError as error:
        print(f"rollout: {error}", file=sys.stderr)
        return WRONG_USE
    except CommandError as error:
        print(f"rollout: {error}", file=sys.stderr)
        return error.status


def _start(_database: "Database", rollouts: "Rollouts", chosen: argparse.Namespace) -> int:
    from urllib.parse import urlsplit

    from assistant.cli.opened_database import CommandError
    from assistant.rollout.reasons import REPLACED, STARTED
    from assistant.rollout.rules import make_rules, parse
    from assistant.store.rollout_states import ABORTED, LOADING
    from assistant.store.rollouts import RolloutRefused

    given = parse(chosen.set)
    for name in ("share", "hours", "minimum_answers", "minimum_ratings"):
        if (value := getattr(chosen, name)) is not None:
            given[name] = value
    rules = make_rules(given)
    parts = urlsplit(chosen.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandError(
            f"--url: {chosen.url} is no address (example: http://ai-candidate:8000/v1)", WRONG_USE
        )
    token = Path(os.environ.get("ASSISTANT_SECRETS_DIR") or "/run/secrets") / TOKEN
    if not token.is_file():
        raise CommandError(
            f"{TOKEN}: the file {token} is not there; it holds the candidate's API token. "
            "playbooks/rollout.yml -e action=start makes it"
        )
    try:
        number = rollouts.start(
            candidate=chosen.candidate,
            stable=chosen.stable or _stable_name(),
            url=chosen.url,
            key=secrets.token_hex(32),
            rules=rules.as_dict(),
            steps=(_step(ABORTED, REPLACED), _step(LOADING, STARTED)),
        )
    except RolloutRefused as refused:
        raise CommandError(
            f"{refused}; wait for its end (rollout status), or end it with rollout abort"
        ) from None
    print(f"rollout {number} of {chosen.candidate} has begun; see: rollout status")
    return DONE


def _stable_name() -> str:
    path = os.environ.get("MODEL_PATH")
    return Path(path).resolve().stem if path else os.environ.get("ASSISTANT_BACKEND_MODEL") or "remote"


def _status(database: "Database", rollouts: "Rollouts", chosen: argparse.Namespace) -> int:
    newest = rollouts.newest()
    if newest is None:
        print("{}" if chosen.json else "there never was a rollout here")
        return NONE
    found = _described(database, rollouts, newest)
    print(json.dumps(found, ensure_ascii=False, indent=2) if chosen.json else _screen(found))
    return DONE


def _described(database: "Database", rollouts: "Rollouts", newest: "Rollout") -> dict[str, Any]:
    from assistant.rollout.evidence import read_evidence
    from assistant.rollout.judge import doubts
    from assistant.rollout.rules import rules_of
    from assistant.store.rollout_answers import RolloutAnswers

    rules = rules_of(newest.rules)
    evidence = read_evidence(RolloutAnswers(database), newest.number, rules)
    return {
        "id": newest.number,
        "state": newest.state,
        "active": newest.active,
        "candidate": newest.candidate,
        "stable": newest.stable,
        "reason": newest.reason,
        "since": newest.since,
        "created_at": newest.created_at,
        "share": rules.share,
        "elapsed_seconds": newest.elapsed,
        "hours": rules.hours,
        "due_hours": newest.due_hours,
        "arms": {
            name: {**asdict(figures), "answers": figures.answers}
            for name, figures in (("stable", evidence.stable), ("candidate", evidence.candidate))
        },
        "lacking": [
            {"reason": one.code, "english": one.english, "chinese": one.chinese}
            for one in (doubts(evidence, rules) if newest.active else ())
        ],
        "steps": [asdict(step) for step in rollouts.steps(newest.number)],
        "rules": rules.as_dict(),
    }


def _screen(found: dict[str, Any]) -> str:
    last = found["steps"][-1]
    lines = [
        f"rollout {found['id']}: {found['candidate']} in place of {found['stable']}",
        f"state: {found['state']} ({last['english']})",
        f"clock: {found['elapsed_seconds'] / 3600:.2f} h of {found['due_hours']:g} h, "
        f"{100 * found['share']:g} % of the conversations",
    ]
    for name, arm in found["arms"].items():
        times = (
            f"p50 {arm['p50']:.2f} s, p99 {arm['p99']:.2f} s" if arm["p50"] is not None else "no times yet"
        )
        lines.append(
            f"{name}: {arm['answers']} answers ({arm['ok']} whole, {arm['cut']} cut, {arm['empty']} empty, "
            f"{arm['error']} errors), {times}, {arm['good_ratings']} of {arm['ratings']} ratings good"
        )
    lines += [f"lacking: {one['english']}" for one in found["lacking"]]
    return "\n".join(lines)


def _pause(_database: "Database", rollouts: "Rollouts", _chosen: argparse.Namespace) -> int:
    from assistant.rollout.reasons import commanded
    from assistant.store.rollout_states import PAUSED

    return _move(rollouts, PAUSED, commanded("pause"), "only one that is running can be paused")


def _resume(_database: "Database", rollouts: "Rollouts", _chosen: argparse.Namespace) -> int:
    from assistant.rollout.reasons import commanded
    from assistant.store.rollout_states import PAUSED, RUNNING

    return _move(rollouts, RUNNING, commanded("resume"), "only one that is paused can be resumed", (PAUSED,))


def _promote(database: "Database", rollouts: "Rollouts", chosen: argparse.Namespace) -> int:
    from assistant.cli.opened_database import CommandError
    from assistant.rollout.evidence import read_evidence
    from assistant.rollout.judge import doubts
    from assistant.rollout.reasons import commanded
    from assistant.rollout.rules import rules_of
    from assistant.store.rollout_answers import RolloutAnswers
    from assistant.store.rollout_states import PROMOTING

    newest = rollouts.newest()
    if newest is not None and not chosen.now:
        rules = rules_of(newest.rules)
        lacking = doubts(read_evidence(RolloutAnswers(database), newest.number, rules), rules)
        if newest.active and lacking:
            said = "; ".join(one.english for one in lacking)
            raise CommandError(f"not promoted: {said}. With --now it is promoted all the same")
    reason = commanded("promote --now" if chosen.now else "promote")
    return _move(rollouts, PROMOTING, reason, "only one that is running or paused can be promoted")


def _abort(_database: "Database", rollouts: "Rollouts", chosen: argparse.Namespace) -> int:
    from assistant.rollout.reasons import commanded
    from assistant.store.rollout_states import ABORTED

    return _move(rollouts, ABORTED, commanded("abort", chosen.reason), "it has ended already")


def _report(_database: "Database", rollouts: "Rollouts", chosen: argparse.Namespace) -> int:
    from assistant.rollout.reasons import exited, promotion_failed
    from assistant.store.rollout_states import LOADING, PAUSED, PROMOTING, ROLLED_BACK, RUNNING

    if chosen.exited is None:
        reason = promotion_failed(chosen.promotion_failed)
        return _move(rollouts, ROLLED_BACK, reason, "it is not being promoted", (PROMOTING,))
    newest = rollouts.newest()
    loading = newest is not None and newest.state == LOADING
    reason = exited(chosen.exited, out_of_memory=chosen.oom_killed, loading=loading)
    return _move(rollouts, ROLLED_BACK, reason, "it needs no candidate", (LOADING, RUNNING, PAUSED))


def _confirm(_database: "Database", rollouts: "Rollouts", _chosen: argparse.Namespace) -> int:
    from assistant.rollout.reasons import CONFIRMED
    from assistant.store.rollout_states import PROMOTED

    return _move(rollouts, PROMOTED, CONFIRMED, "it is not being promoted")


def _move(
    rollouts: "Rollouts", state: str, reason: "Reason", otherwise: str, only_from: tuple[str, ...] = ()
) -> int:
    """Take the newest rollout into ``state``; ``otherwise`` is said where it cannot go there."""
    from assistant.cli.opened_database import CommandError

    newest = rollouts.newest()
    if newest is None:
        raise CommandError("there never was a rollout here", NONE)
    if not rollouts.move(newest.number, _step(state, reason), only_from=only_from):
        now = rollouts.newest() or newest
        raise CommandError(f"rollout {now.number} of {now.candidate} is {now.state}: {otherwise}")
    print(f"rollout {newest.number} of {newest.candidate} is {state} now")
    return DONE


def _step(state: str, reason: "Reason") -> Any:
    from assistant.store.rollouts import step

    return step(state, reason.code, reason.english, reason.chinese)
