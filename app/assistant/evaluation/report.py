"""A month's report: one page that needs nothing else, and the same figures as JSON."""

import json
import os
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from assistant.evaluation import EvaluationError, charts
from assistant.evaluation.figures import Figures, Judged, comparison, csat, summary
from assistant.evaluation.words import WORDS
from assistant.store.ratings import Satisfaction

MONTH = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])")
FORMAT = 1
# So many changed answers are shown; the JSON has all.
EXAMPLES = 30


def write_report(
    folder: Path,
    judged: Judged,
    base: Judged | None,
    *,
    month: str = "",
    ratings: Sequence[Satisfaction] | None = None,
    ratings_days: int = 0,
    conversations: Figures | None = None,
    judge: Figures | None = None,
    base_month: str = "",
) -> tuple[Path, Path]:
    """Write ``MONTH.html`` and ``MONTH.json`` into ``folder``, and list them in ``index.html``.

    Those that are there already are replaced.

    Args:
        folder: where to; the earlier months' JSON there makes the trend.
        judged: the run that the report is about.
        base: the run that it is compared with, or None.
        month: ``YYYY-MM``; empty for the month in which the run was begun.
        ratings: people's ratings of the last ``ratings_days`` days, or None to leave them out.
        ratings_days: see ``ratings``.
        conversations: ``conversation_figures`` of a sample of what people asked, or None.
        judge: ``judge_figures``, or None.
        base_month: of which month ``base`` is, or empty.

    Returns:
        the paths of both.

    Raises:
        EvaluationError: the month or an earlier month's file is wrong.
        OSError: the folder cannot be written.
    """
    month = month or f"{datetime.fromtimestamp(judged.results.header.started, UTC):%Y-%m}"
    if not MONTH.fullmatch(month):
        raise EvaluationError(f"--month: {month} is no month; example: 2026-03")
    earlier = _earlier(folder, month)
    found: Figures = {
        "format": FORMAT,
        "month": month,
        "model": summary(judged),
        "base": summary(base) if base else None,
        "base_month": base_month,
        "comparison": comparison(base, judged) if base else None,
        "csat": None if ratings is None else {"days": ratings_days, **csat(ratings)},
        "conversations": conversations,
        "judge": judge,
        "changed": changed(base, judged) if base else [],
    }
    page = _page(found, [*earlier, found], judged)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"{month}.html", folder / f"{month}.json"
    _replace(paths[0], page)
    _replace(paths[1], json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    write_index(folder)
    return paths


def write_index(folder: Path) -> None:
    """Write ``index.html``, which lists the months whose reports are in ``folder``, the newest first.

    Raises:
        EvaluationError: a report is none.
        OSError: the folder cannot be written.
    """
    months = list(reversed(_earlier(folder, "9999-99")))
    _replace(folder / "index.html", _environment().get_template("index.html").render(months=months))


def changed(base: Judged, candidate: Judged) -> list[dict[str, Any]]:
    """Return the questions of which only one of both has a right answer; those that were lost first."""
    rows = [
        {
            "id": question.id,
            "question": question.messages[-1].content,
            "reference": question.reference,
            "base_answer": base.answers[n].answer,
            "base_broken": base.broken[n],
            "answer": candidate.answers[n].answer,
            "broken": candidate.broken[n],
        }
        for n, question in enumerate(base.questions)
        if bool(base.broken[n]) != bool(candidate.broken[n])
    ]
    return sorted(rows, key=lambda row: not row["broken"])


def _earlier(folder: Path, month: str) -> list[Figures]:
    """Return the reports of earlier months, the oldest first."""
    found = []
    for path in sorted(folder.glob("*.json")):
        if not MONTH.fullmatch(path.stem) or path.stem >= month:
            continue
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            if value["format"] != FORMAT or value["month"] != path.stem:
                raise ValueError
            # What the trend is drawn of.
            for name in ("success", "bleu"):
                for end in ("value", "low", "high"):
                    float(value["model"][name][end])
            str(value["model"]["questions_sha256"])
        except (ValueError, KeyError, TypeError):
            raise EvaluationError(
                f"--out: {path} is no report of an earlier month; move it away or make it again"
            ) from None
        found.append(value)
    return found


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("assistant.evaluation", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["say"] = say
    return environment


def _page(found: Figures, months: Sequence[Figures], judged: Judged) -> str:
    models = [found["model"], *([found["base"]] if found["base"] else [])]
    return (
        _environment()
        .get_template("report.html")
        .render(
            found=found,
            models=models,
            examples=found["changed"][:EXAMPLES],
            languages={q.id: q.language for q in judged.questions},
            success=charts.intervals([(m["model"], m["success"]) for m in models], 1, 100),
            bleu=charts.intervals([(m["model"], m["bleu"]) for m in models], 100, 1),
            kinds=charts.bars([m["success_by_kind"] for m in models]),
            success_trend=charts.trend([(m["month"], m["model"]["success"]) for m in months], 1, 100),
            bleu_trend=charts.trend([(m["month"], m["model"]["bleu"]) for m in months], 100, 1),
            months=len(months),
            new_questions=len({m["model"]["questions_sha256"] for m in months}) > 1,
        )
    )


def say(key: str) -> Markup:
    """Return a text in both languages; the page shows one."""
    en, zh = WORDS[key]
    return Markup('<span class="en" lang="en">{}</span><span class="zh" lang="zh">{}</span>').format(en, zh)


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # It holds nothing of people, and a web server or Grafana may show it.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
