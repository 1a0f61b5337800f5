"""One run on one database, from an empty database to the verdict."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.judge import Evidence, Verdict, judge, read_answer
from tests.chaos.killer import Killer
from tests.chaos.load import People
from tests.chaos.network import ANSWER_SECONDS, Network, started
from tests.chaos.plan import PLATFORMS, Plan, asked
from tests.integration.app.process import Assistant, until

SETTLE_SECONDS = 300.0
_CHAT = re.compile(r"\bof chat (\w+)\?")


@dataclass(frozen=True)
class Result:
    """What a run showed."""

    verdict: Verdict
    figures: dict[str, int | float]
    samples: dict[str, Any]


def run(database_url: str, plan: Plan, directory: Path, *, share: float, lost_answers: bool) -> Result:
    """Let the plan happen to an assistant on ``database_url``.

    Args:
        database_url: an empty database.
        plan: what happens.
        directory: for the assistant's files; its log stays there.
        share: of the calls to the platforms that fail.
        lost_answers: see ``Network.fail``.

    Raises:
        AssertionError: the assistant did not become ready, or not all answers were sent in time.
    """
    with started() as network:
        assistant = Assistant(directory, Path(), database_url, network.settings())
        (directory / "secrets" / "backend_api_key").write_text(network.server.key + "\n")
        begun = time.monotonic()
        assistant.start()
        ready = time.monotonic() - begun
        network.fail(share, plan.seed, lost_answers=lost_answers)
        people, killer = People(plan, ready), Killer(assistant, plan.lives)
        try:
            killer.start()
            asyncio.run(people.write(assistant.url, network))
            killer.join()
            if killer.error is not None:
                raise killer.error
            until("all answers are sent", lambda: _settled(assistant), SETTLE_SECONDS)
            seconds = time.monotonic() - begun
            evidence = _evidence(assistant, network, people, killer)
            dead = assistant.count("dead_letters")
            stopped = assistant.stop()
        finally:
            if assistant.process is not None and assistant.process.poll() is None:
                assistant.kill()
        verdict, calls = judge(evidence), network.calls()
        figures: dict[str, int | float] = {
            **_found(verdict),
            "messages": len(plan.messages),
            "kills": len(killer.kills),
            "mixed_contexts": _mixed_contexts(network.server.asked),
            "dead_letters": dead,
            "exit_status": stopped,
            "webhook_calls": len(people.attempts),
            "webhook_calls_failed": sum(attempt.status != 200 for attempt in people.attempts),
            "platform_calls": calls.pop("calls", 0),
            "platform_calls_failed": sum(calls.values()),
            **{f"platform_calls_failed_{kind}": n for kind, n in sorted(calls.items())},
            "start_seconds": round(ready, 2),
            "seconds": round(seconds, 1),
        }
        return Result(verdict, figures, _samples(verdict, evidence))


def _settled(assistant: Assistant) -> bool:
    time.sleep(1)  # each look opens a connection of its own
    waiting = "SELECT count(*) FROM {} WHERE state = 'pending'"
    return not any(assistant.rows(waiting.format(table))[0][0] for table in ("inbox", "outbox"))


def _evidence(assistant: Assistant, network: Network, people: People, killer: Killer) -> Evidence:
    accepted = [asked(row[0]) for row in assistant.rows("SELECT text FROM inbox ORDER BY id")]
    recorded = {
        asked(text): float(at)
        for text, at in assistant.rows(
            "SELECT inbox.text, outbox.sent_at FROM outbox JOIN inbox ON inbox.id = outbox.inbox_id"
            " WHERE outbox.sent_at IS NOT NULL AND outbox.purpose = 'reply'"
        )
    }
    return Evidence(
        people.plan.messages,
        [
            read_answer(platform, sent, people.chats[platform], people.ids[platform])
            for platform in PLATFORMS
            for sent in network.sent(platform)
        ],
        [number for number in accepted if number is not None],
        {number: at for number, at in recorded.items() if number is not None},
        killer.kills,
        ANSWER_SECONDS,
    )


def _found(verdict: Verdict) -> dict[str, int | float]:
    return {
        "lost": len(verdict.lost),
        "never_accepted": len(verdict.never_accepted),
        "order_violations": len(verdict.order_violations),
        "feishu_doubles": len(verdict.doubles["feishu"]),
        "telegram_doubles": len(verdict.doubles["telegram"]),
        "telegram_doubles_by_kill": len(verdict.by_kill),
        "telegram_doubles_by_lost_answer": len(verdict.by_lost_answer),
        "doubles_unexplained": len(verdict.unexplained),
        "misplaced_answers": len(verdict.misplaced),
        "drafts_left": len(verdict.drafts_left),
    }


def _mixed_contexts(bodies: list[dict[str, Any]]) -> int:
    """Count the model's requests that hold words of more than one conversation."""
    return sum(
        len({chat for turn in body["messages"] for chat in _CHAT.findall(str(turn["content"]))}) > 1
        for body in bodies
    )


def _samples(verdict: Verdict, evidence: Evidence) -> dict[str, Any]:
    doubled = {number for numbers in verdict.doubles.values() for number in numbers}
    return {
        "kills": list(evidence.kills),
        "lost": verdict.lost,
        "never_accepted": verdict.never_accepted,
        "order_violations": verdict.order_violations,
        "by_kill": verdict.by_kill,
        "by_lost_answer": verdict.by_lost_answer,
        "unexplained": verdict.unexplained,
        "drafts_left": verdict.drafts_left,
        "doubles": [
            {
                "message": a.message,
                "platform": a.platform,
                "at": a.at,
                "recorded": evidence.recorded.get(a.message),
            }
            for a in evidence.answers
            if a.message in doubled
        ],
    }
