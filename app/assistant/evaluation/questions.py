"""The curated questions: JSON lines, read, checked and named by their hash."""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from assistant.evaluation import EvaluationError

Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
# One wording, or several of which any will do.
Fact = Text | Annotated[list[Text], Field(min_length=1)]


class Message(BaseModel):
    """One turn of the conversation that is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    role: Literal["system", "user", "assistant"]
    content: Text


class Question(BaseModel):
    """A question and what makes its answer right.

    ``kind`` groups questions in reports. ``reference`` is an answer that a person has approved. Every fact of
    ``expect`` must be in the answer and none of ``forbid``; ``refuse`` lists the wordings of a refusal, of
    which one must be in the answer to a question that must not be answered. ``max_characters`` 0 is no limit;
    ``json_object`` asks that the answer is one JSON object.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
    language: Literal["en", "zh"]
    kind: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=40)]
    messages: Annotated[list[Message], Field(min_length=1, max_length=20)]
    reference: Text
    expect: list[Fact] = []
    forbid: list[Text] = []
    refuse: list[Text] = []
    max_characters: Annotated[int, Field(ge=0)] = 0
    json_object: bool = False

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if bool(self.expect) == bool(self.refuse):
            raise ValueError("needs either expect (what must be in it) or refuse (wordings of a refusal)")
        if self.messages[-1].role != "user":
            raise ValueError("the last of messages must be the user's")
        return self


@dataclass(frozen=True)
class QuestionSet:
    """Questions in the file's order; ``sha256`` is the file's, and names the set in every result."""

    sha256: str
    questions: tuple[Question, ...]

    def languages(self) -> list[str]:
        """Return the languages that occur, sorted."""
        return sorted({q.language for q in self.questions})


def read_questions(path: Path) -> QuestionSet:
    """Read a file of JSON lines, one question each; empty lines are passed over.

    Raises:
        EvaluationError: it cannot be read, a line is no question, or an id or a question occurs twice.
    """
    try:
        data = path.read_bytes()
        lines = data.decode("utf-8").split("\n")
    except OSError as error:
        raise EvaluationError(
            f"--questions: {path} cannot be read ({error.strerror}); the project's own set is "
            "files/evaluation/demo.jsonl"
        ) from None
    except UnicodeDecodeError:
        raise EvaluationError(f"--questions: {path} is not UTF-8; save it as UTF-8") from None
    found = [_question(path, n, line) for n, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise EvaluationError(f"--questions: {path} holds no question; one JSON object a line")
    _once(path, "the id", [q.id for q in found])
    _once(path, "the conversation", [json.dumps([m.model_dump() for m in q.messages]) for q in found])
    return QuestionSet(hashlib.sha256(data).hexdigest(), tuple(found))


def _question(path: Path, number: int, line: str) -> Question:
    try:
        return Question.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        text = str(first["msg"]).removeprefix("Value error, ")
        raise EvaluationError(
            f"{path}, line {number}: {where + ': ' if where else ''}{text}; docs/evaluation.md has the form"
        ) from None


def _once(path: Path, what: str, values: Sequence[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise EvaluationError(f"{path}: {what} {value} occurs twice; remove or change one")
        seen.add(value)


def main(arguments: Sequence[str]) -> int:
    """Say whether the file ``arguments[0]`` can be used, for a deployment; returns the exit status."""
    try:
        read_questions(Path(arguments[0]))
    except EvaluationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
