"""A run's results: JSON lines, a header first, then an answer each, so that a run that was ended goes on."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from assistant.evaluation import EvaluationError, OtherRunError
from assistant.evaluation.questions import QuestionSet


class Header(BaseModel):
    """What was asked of whom: results with another header are another run's.

    ``started`` is seconds since 1970 and may differ; ``max_tokens`` and ``seed`` are the requests'.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    questions_sha256: str
    model: str
    max_tokens: int
    seed: int
    started: float

    def differs_in(self, other: "Header") -> str:
        """Return the first field in which ``other`` is another run, or an empty text."""
        mine, theirs = self.model_dump(exclude={"started"}), other.model_dump()
        return next((name for name in mine if mine[name] != theirs[name]), "")


class Answer(BaseModel):
    """What came back to one question; ``error`` is a type's name where nothing did.

    ``seconds`` until the last word and ``first_seconds`` until the first, as a caller of the API waits for
    them: the line at the model is counted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    answer: str
    finish_reason: str
    seconds: float
    first_seconds: float
    completion_tokens: int
    error: str = ""


class Judgement(BaseModel):
    """What may be kept of an answer to a person's question: the rules it broke, times, its length."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    broken: list[str]
    seconds: float
    first_seconds: float
    characters: int


class Verdict(BaseModel):
    """What a judge model says of an answer; ``verdict`` is empty where it could not be had (``error``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    verdict: Literal["pass", "fail", ""]
    reason: str = ""
    error: str = ""


# How a header begins, on the disk.
BEGINNING = b'{"format":1,'
Line = TypeVar("Line", bound=BaseModel)
Found = TypeVar("Found", "Answer", "Judgement", "Verdict")


@dataclass(frozen=True)
class Results:
    """A file of results, read; ``answers`` by the question's id."""

    header: Header
    answers: Mapping[str, Answer]


class Writer:
    """Adds answers to a file that nobody else writes."""

    def __init__(self, descriptor: int, known: frozenset[str]) -> None:
        """Write to ``descriptor``; ``known`` are the ids that are there already."""
        self._descriptor, self.known = descriptor, known

    def add(self, line: BaseModel) -> None:
        """Write ``line`` so that it outlives this process and this machine's power.

        Raises:
            OSError: there is no room.
        """
        data = line.model_dump_json().encode() + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]
        os.fsync(self._descriptor)


@contextmanager
def opened_results(path: Path, header: Header, kind: type[Found]) -> Iterator[Writer]:
    """Give the file of a run, begun or begun earlier; a half line of a run that was killed is removed.

    Raises:
        EvaluationError: it is another run's, somebody writes it now, or it cannot be used.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EvaluationError(f"--results: {path} cannot be written ({error.strerror})") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EvaluationError(
                f"--results: another evaluate run writes {path}; wait for it or name another file"
            ) from None
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        found = _parse(path, whole, kind) if whole else None
        if found and (name := found[0].differs_in(header)):
            raise OtherRunError(
                f"--results: {path} is of another run: its {name} is {getattr(found[0], name)}, now "
                f"it is {getattr(header, name)}; name another file, or remove this one"
            )
        # What is no beginning of a header is somebody else's file, whose text must stay.
        if not found and not BEGINNING.startswith(data[: len(BEGINNING)]):
            raise EvaluationError(f"--results: {path} is no file of results; name another one")
        os.ftruncate(descriptor, len(whole))
        writer = Writer(descriptor, frozenset(found[1]) if found else frozenset())
        if not found:
            writer.add(header)
        yield writer
    finally:
        os.close(descriptor)


def read_results(path: Path, questions: QuestionSet) -> Results:
    """Read the results of a run that answers all of ``questions``.

    Raises:
        EvaluationError: it cannot be read, is of other questions, or some answers are missing.
    """
    results = Results(*_read(path, Answer, "; evaluate run makes it"))
    if results.header.questions_sha256 != questions.sha256:
        raise EvaluationError(
            f"{path} answers the questions with SHA-256 {results.header.questions_sha256[:12]}..., and "
            f"--questions has {questions.sha256[:12]}...: they cannot be compared. Run the model again, or "
            "give the file of questions that was used"
        )
    ids = {q.id for q in questions.questions}
    if strange := sorted(set(results.answers) - ids):
        raise EvaluationError(f"{path}: there is no question {strange[0]}; make the file again")
    if missing := len(ids - set(results.answers)):
        raise EvaluationError(
            f"{path}: {missing} of {len(ids)} answers are missing; give the same evaluate run again"
        )
    return results


def alike(results: Sequence[Results], paths: Sequence[Path]) -> None:
    """Make sure that ``results``, read from ``paths``, were asked for in the same way.

    Raises:
        EvaluationError: their limits or seeds differ.
    """
    for one, path in zip(results[1:], paths[1:], strict=True):
        for name in ("max_tokens", "seed"):
            mine, theirs = (getattr(r.header, name) for r in (results[0], one))
            if mine != theirs:
                raise EvaluationError(
                    f"{paths[0]} and {path} cannot be compared: {name} is {mine} and {theirs}; "
                    "run one model again"
                )


def read_judgements(path: Path, sha256: str) -> tuple[Header, dict[str, Judgement]]:
    """Read what became of the sample named ``sha256``; some questions may be missing.

    Raises:
        EvaluationError: it cannot be read, or is of another sample.
    """
    header, judgements = _read(path, Judgement)
    if header.questions_sha256 != sha256:
        raise EvaluationError(f"{path} is of another sample; give --sample the file that was used")
    return header, judgements


def read_verdicts(path: Path, sha256: str) -> tuple[Header, dict[str, Verdict]]:
    """Read what a judge said of the answers named ``sha256``; some may be missing.

    Raises:
        EvaluationError: it cannot be read, or is of other answers.
    """
    header, verdicts = _read(path, Verdict)
    if header.questions_sha256 != sha256:
        raise EvaluationError(f"{path} judges other answers; remove it, and it is made again")
    return header, verdicts


def _read(path: Path, kind: type[Found], remedy: str = "") -> tuple[Header, dict[str, Found]]:
    """Read all whole lines of ``path``; a last one that was cut off is left out."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read ({error.strerror}){remedy}") from None
    return _parse(path, data[: data.rfind(b"\n") + 1], kind)


def _parse(path: Path, data: bytes, kind: type[Found]) -> tuple[Header, dict[str, Found]]:
    lines = data.split(b"\n")[:-1]
    if not lines:
        raise EvaluationError(f"{path} holds no results; evaluate run makes them")
    header = _line(path, 1, lines[0], Header)
    answers: dict[str, Found] = {}
    for number, line in enumerate(lines[1:], 2):
        answer = _line(path, number, line, kind)
        if answer.id in answers:
            raise EvaluationError(f"{path}, line {number}: a second answer to {answer.id}; make it again")
        answers[answer.id] = answer
    return header, answers


def _line(path: Path, number: int, line: bytes, kind: type[Line]) -> Line:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        raise EvaluationError(
            f"{path}, line {number}: this is no line of evaluate run; make the file again"
        ) from None
