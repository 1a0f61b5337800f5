"""Files of results and the month's report: nothing lost, nothing mixed up, nothing fetched."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from assistant.evaluation import EvaluationError
from assistant.evaluation.figures import Judged
from assistant.evaluation.questions import Message, Question, QuestionSet
from assistant.evaluation.report import write_report
from assistant.evaluation.results import Answer, Header, Results, opened_results, read_results
from assistant.evaluation.words import WORDS
from assistant.store.ratings import Satisfaction

HEADER = Header(questions_sha256="a" * 64, model="one", max_tokens=64, seed=1, started=1767225600.0)
HOSTILE = "<script>alert('x')</script> \"&"


def answer(name: str, text: str = "yes") -> Answer:
    return Answer(
        id=name, answer=text, finish_reason="stop", seconds=1.5, first_seconds=0.5, completion_tokens=2
    )


def questions(count: int = 4) -> QuestionSet:
    made = [
        Question(
            id=f"q-{n}",
            language="en",
            kind="k" if n % 2 else "other",
            messages=[Message(role="user", content=f"{HOSTILE} {n}")],
            reference="yes, it is so",
            expect=["yes"],
        )
        for n in range(count)
    ]
    return QuestionSet("a" * 64, tuple(made))


def judged(*texts: str, model: str = "one") -> Judged:
    asked = questions(len(texts))
    answers = {q.id: answer(q.id, text) for q, text in zip(asked.questions, texts, strict=True)}
    return Judged(asked, Results(HEADER.model_copy(update={"model": model}), answers))


def test_a_run_that_was_killed_in_the_middle_of_a_line_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "results"
    with opened_results(path, HEADER, Answer) as writer:
        writer.add(answer("q-0"))
    with path.open("ab") as file:
        file.write(b'{"id":"q-1","answer":"ye')
    with opened_results(path, HEADER.model_copy(update={"started": 5.0}), Answer) as writer:
        assert writer.known == {"q-0"}
        writer.add(answer("q-1"))
    found = read_results(path, questions(2))
    assert [a.answer for a in found.answers.values()] == ["yes", "yes"]
    assert found.header == HEADER
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "value"), [("questions_sha256", "b" * 64), ("model", "two"), ("max_tokens", 9), ("seed", 2)]
)
def test_another_runs_file_is_refused_and_kept(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "results"
    with opened_results(path, HEADER, Answer) as writer:
        writer.add(answer("q-0"))
    before = path.read_bytes()
    with (
        pytest.raises(EvaluationError, match=f"another run: its {name}"),
        opened_results(path, HEADER.model_copy(update={name: value}), Answer),
    ):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["a letter without a line's end", "a letter\n", '{"format":2}\n'])
def test_a_file_of_somebody_else_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results"
    path.write_text(text)
    with pytest.raises(EvaluationError, match=re.escape(str(path))), opened_results(path, HEADER, Answer):
        pass
    assert path.read_text() == text


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    with (
        opened_results(tmp_path / "results", HEADER, Answer),
        pytest.raises(EvaluationError, match="another evaluate run"),
        opened_results(tmp_path / "results", HEADER, Answer),
    ):
        pass


def test_results_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results"
    with opened_results(path, HEADER, Answer) as writer:
        writer.add(answer("q-0"))
    with pytest.raises(EvaluationError, match="1 of 2 answers are missing"):
        read_results(path, questions(2))
    with pytest.raises(EvaluationError, match="cannot be compared"):
        read_results(path, QuestionSet("c" * 64, questions(1).questions))
    with opened_results(path, HEADER, Answer) as writer:
        writer.add(answer("q-0"))
    with pytest.raises(EvaluationError, match="line 3: a second answer to q-0"):
        read_results(path, questions(1))
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_results(tmp_path / "none", questions(1))


class Tags(HTMLParser):
    """All tags with their attributes, and the text outside of styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else_and_shows_both_languages(tmp_path: Path) -> None:
    ratings = [Satisfaction("feishu", 10, 8)]
    page, figures = write_report(
        tmp_path,
        judged("yes", "yes", "no", "yes", model="new"),
        judged("yes", "no", "yes", HOSTILE, model="old"),
        ratings=ratings,
        ratings_days=30,
    )
    found = Tags(page.read_text(encoding="utf-8"))
    names = [tag for tag, _ in found.tags]
    assert names.count("svg") == 3
    assert not {"script", "link", "img", "iframe"} & set(names)
    assert not [a for _, given in found.tags for a in given if a == "src" or a.startswith("on")]
    assert [given["href"] for _, given in found.tags if "href" in given] == ["index.html"]
    assert "default-src 'none'" in str([a.get("content") for t, a in found.tags if t == "meta"])
    assert WORDS["verdict_unclear"][0] in found.text and WORDS["verdict_unclear"][1] in found.text
    # What a model says is shown as it is.
    assert f"{HOSTILE} 1" in found.text
    # First what was lost.
    assert found.text.index("q-2") < found.text.index("q-1")
    assert "80.0 (49.0 \u2013 94.3)" in " ".join(found.text.split())
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert figures.name == "2026-01.json"
    assert told["model"]["success"]["value"] == 0.75
    assert (told["comparison"]["won"], told["comparison"]["lost"]) == (2, 1)
    assert [(row["id"], row["broken"]) for row in told["changed"]] == [
        ("q-2", ["fact"]),
        ("q-1", []),
        ("q-3", []),
    ]


def test_the_trend_is_of_the_earlier_months(tmp_path: Path) -> None:
    for month, texts in (("2025-11", ["no"] * 4), ("2025-12", ["yes"] * 4), ("2026-02", ["no"] * 4)):
        write_report(tmp_path, judged(*texts), None, month=month)
    page, _ = write_report(tmp_path, judged("yes", "yes", "no", "no"), None, month="2026-01")
    labels = [a.get("aria-label") for t, a in Tags(page.read_text(encoding="utf-8")).tags if t == "svg"]
    assert "2025-11: 0.0, 2025-12: 100.0, 2026-01: 50.0" in labels
    first, _ = write_report(tmp_path / "new", judged("yes"), None, month="2026-01")
    assert WORDS["first_month"][0] in first.read_text(encoding="utf-8")


def test_a_wrong_month_or_a_broken_earlier_one_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="2026-13 is no month"):
        write_report(tmp_path / "out", judged("yes"), None, month="2026-13")
    (tmp_path / "2025-12.json").write_text('{"format": 1, "month": "2025-11"}')
    with pytest.raises(EvaluationError, match=r"2025-12\.json is no report"):
        write_report(tmp_path, judged("yes"), None, month="2026-01")
    assert [path.name for path in tmp_path.iterdir()] == ["2025-12.json"]
