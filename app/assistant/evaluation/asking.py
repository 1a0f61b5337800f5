"""Asking a model all questions, one at a time, with pauses, so that people come first."""

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from tqdm import tqdm

from assistant.evaluation import EvaluationError
from assistant.evaluation.questions import Question, QuestionSet
from assistant.evaluation.results import Answer, Header, opened_results
from assistant.inference.backend import (
    Backend,
    Caller,
    InferenceError,
    Options,
    Outage,
    QueueFull,
    RequestError,
)
from assistant.inference.remote.backend import RemoteBackend
from assistant.inference.remote.endpoint import Limits, base_url
from assistant.inference.remote.errors import ConfigurationError
from assistant.messages import Turn

# The endpoint knows its own limit; this only keeps the answer's limit from being halved.
CONTEXT_TOKENS = 65536
DEADLINE_SECONDS = 300.0
# The model is judged, not what it said earlier: no answer from a cache, and none into it (RFC 9111, 5.2.1.5).
FRESH = {"Cache-Control": "no-store"}
# In a busy service's line no word may come for a long while.
LIMITS = Limits(first_byte=DEADLINE_SECONDS, between=DEADLINE_SECONDS)
# How often a question is asked whose answer failed: another failure is the model's.
TRIES = 2
LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Run:
    """How a model is asked.

    ``url`` goes up to ``/v1``; ``key`` is its bearer token; ``model`` empty takes the first that is listed.
    ``share`` of the time, at most, a question is being answered; for the rest it waits. ``patience_seconds``
    is how long a server may be busy or away before the run is ended. ``told`` is told how many of how many
    are answered, ten times a run.
    """

    url: str
    key: str
    model: str
    max_tokens: int
    seed: int
    share: float
    patience_seconds: float
    told: Callable[[int, int], None] = lambda done, total: None


def run(questions: QuestionSet, path: Path, wanted: Run, sleep: Callable[[float], None] = time.sleep) -> int:
    """Ask what ``path`` has no answer to yet, and add the answers; returns how many were asked.

    Raises:
        EvaluationError: the server cannot be used, was away for too long, or ``path`` is of another run.
    """
    header = header_of(questions.sha256, wanted)
    with opened_results(path, header, Answer) as writer:
        left = [q for q in questions.questions if q.id not in writer.known]
        total = len(questions.questions)
        ask_all(left, total, header.model, wanted, lambda _, answer: writer.add(answer), sleep)
    return len(left)


def header_of(sha256: str, wanted: Run) -> Header:
    """Return the header of a run over the questions named ``sha256``; asks the server for its model.

    Raises:
        EvaluationError: no model is named, and the server names none.
    """
    return Header(
        questions_sha256=sha256,
        model=wanted.model or _first_model(wanted),
        max_tokens=wanted.max_tokens,
        seed=wanted.seed,
        started=time.time(),
    )


def ask_all(
    left: Sequence[Question],
    total: int,
    model: str,
    wanted: Run,
    add: Callable[[Question, Answer], None],
    sleep: Callable[[float], None],
) -> None:
    """Ask ``left``, what is left of ``total``, one at a time, and hand each answer to ``add``.

    Raises:
        EvaluationError: the server cannot be used, or was away for too long.
    """
    backend = RemoteBackend(
        wanted.url,
        model=model,
        key=wanted.key,
        context_tokens=CONTEXT_TOKENS,
        parallel=1,
        limit=1,
        headers=FRESH,
        limits=LIMITS,
    )
    backend.start()
    try:
        # Quiet where nobody looks (disable=None); on stderr.
        with tqdm(total=total, initial=total - len(left), unit="q", disable=None) as bar:
            for number, question in enumerate(left, 1):
                answer = _patiently(backend, question, wanted, sleep)
                add(question, answer)
                bar.update()
                done = total - len(left) + number
                if done * 10 // total > (done - 1) * 10 // total:
                    wanted.told(done, total)
                sleep(answer.seconds * (1 / wanted.share - 1))
    finally:
        backend.stop()


def _patiently(backend: Backend, question: Question, wanted: Run, sleep: Callable[[float], None]) -> Answer:
    """Ask until there is an answer, a failure that is the question's, or ``patience_seconds`` are over."""
    waited, pause, tries = 0.0, 1.0, 0
    while True:
        begun = time.monotonic()
        try:
            return _ask(backend, question, wanted)
        except ConfigurationError as error:
            raise EvaluationError(
                f"--url, --model, --token-file: {wanted.url} refuses this ({error}); try "
                f"{base_url(wanted.url)}/models with the same token"
            ) from None
        except (Outage, QueueFull) as error:
            waited += time.monotonic() - begun + pause
            if waited > wanted.patience_seconds:
                raise EvaluationError(
                    f"--url: {wanted.url} was busy or away for {wanted.patience_seconds:g} s ({error}); the "
                    "answers are kept: give the same command again when it is back"
                ) from None
            sleep(pause)
            pause = min(LONGEST_WAIT_SECONDS, pause * 2)
        except InferenceError as error:
            tries += 1
            if tries == TRIES or isinstance(error, RequestError):
                seconds = time.monotonic() - begun
                return Answer(
                    id=question.id,
                    answer="",
                    finish_reason="error",
                    seconds=seconds,
                    first_seconds=seconds,
                    completion_tokens=0,
                    error=type(error).__name__,
                )


def _ask(backend: Backend, question: Question, wanted: Run) -> Answer:
    begun = time.monotonic()
    first: list[float] = []

    def heard(_text: str) -> None:
        if not first:
            first.append(time.monotonic() - begun)

    turns: Sequence[Turn] = [Turn(m.role, m.content) for m in question.messages]
    options = Options(
        wanted.max_tokens, 0.0, DEADLINE_SECONDS, seed=wanted.seed, json_object=question.json_object
    )
    completion = backend.generate(turns, options, Caller(on_text=heard))
    seconds = time.monotonic() - begun
    return Answer(
        id=question.id,
        answer=completion.text,
        finish_reason=completion.finish_reason,
        seconds=seconds,
        first_seconds=first[0] if first else seconds,
        completion_tokens=completion.completion_tokens,
    )


def _first_model(wanted: Run) -> str:
    headers = {"Authorization": f"Bearer {wanted.key}"} if wanted.key else {}
    address = f"{base_url(wanted.url)}/models"
    try:
        # The system's authorities, with those that the operator added: as the endpoint's own client.
        trust = ssl.create_default_context()
        response = httpx.get(address, headers=headers, timeout=30, verify=trust)
        response.raise_for_status()
        return str(response.json()["data"][0]["id"])
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        advice = "check --token-file" if status in {401, 403} else "name the model with --model"
        raise EvaluationError(f"--url: {address} answers HTTP {status}; {advice}") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise EvaluationError(
            f"--url: {address} cannot be used ({type(error).__name__}); example: http://127.0.0.1:8000/v1"
        ) from None
    except (KeyError, IndexError, TypeError):
        raise EvaluationError(f"--model: {address} lists no model; name one") from None
