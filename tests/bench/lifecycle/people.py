"""Those who use the assistant during a rollout, and what became of each of their questions.

Somebody new comes at a set rate, on Telegram, Feishu and the API in turn, asks a question, rates the answer
where the channel has thumbs, asks another one, and leaves. What is counted is what they see.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from assistant.evaluation.questions import Question
from assistant.evaluation.rules import failures
from tests.bench.lifecycle.talks import Mailbox, OnFeishu, OnTelegram, OverTheApi, Place, Talk

TURNS = 2
READING_SECONDS = 0.5
AT_ONCE = 128
# Apart from those who came in earlier rounds.
USERS_A_ROUND = 10**5


@dataclass(frozen=True)
class Turn:
    """What became of one question.

    ``name`` is the conversation's, as the choice of an arm sees it; ``number`` counts within it, from 0;
    ``at`` in seconds since 1970, ``seconds`` until the answer. ``failure`` says what the person met instead
    of an answer, empty for none. ``right``: the answer keeps the question's rules.
    """

    channel: str
    name: str
    number: int
    at: float
    seconds: float
    failure: str
    right: bool


class Crowd:
    """Everybody who came; ``turns`` are their questions that have been answered, or will not be."""

    def __init__(self, place: Place, questions: Sequence[Question], seed: int) -> None:
        """Ask at ``place`` what is in ``questions``; another ``seed`` means other people."""
        self.turns: list[Turn] = []
        self._place, self._mailbox = place, Mailbox(place)
        self._questions = [one for one in questions if len(one.messages) == 1]
        self._source = random.Random(seed)
        self._users = itertools.count(10**9 + seed * USERS_A_ROUND)
        self._broken: list[BaseException] = []

    @contextmanager
    def coming(self, per_second: float) -> Iterator[None]:
        """Let somebody come ``per_second`` times a second, whatever became of those before.

        Afterwards everybody has been answered, or has lost their patience.

        Raises:
            BaseException: a person could not act, which is this program's fault.
        """
        leave = threading.Event()
        thread = threading.Thread(target=self._come, args=(per_second, leave), daemon=True)
        self._mailbox.start()
        thread.start()
        try:
            yield
        finally:
            leave.set()
            thread.join()
            self._mailbox.stop()
        if self._broken:
            raise self._broken[0]

    def _come(self, per_second: float, leave: threading.Event) -> None:
        begin = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for number in itertools.count():
                if leave.wait(max(0.0, begin + number / per_second - time.monotonic())):
                    return
                asked = self._source.sample(self._questions, TURNS)
                pool.submit(self._visit, self._somebody(number), asked).add_done_callback(self._look)

    def _look(self, visit: Future[None]) -> None:
        if (error := visit.exception()) is not None:
            self._broken.append(error)

    def _somebody(self, number: int) -> Talk:
        user = next(self._users)
        if number % 3 == 0:
            return OnTelegram(self._place, self._mailbox, user)
        return OnFeishu(self._place, self._mailbox) if number % 3 == 1 else OverTheApi(self._place, user)

    def _visit(self, talk: Talk, asked: Sequence[Question]) -> None:
        for number, question in enumerate(asked):
            at = time.time()
            heard = talk.ask(question.messages[-1].content)
            right = not heard.failure and not failures(question, heard.text, "stop")
            seconds = time.time() - at
            self.turns.append(Turn(talk.channel, talk.name, number, at, seconds, heard.failure, right))
            if heard.failure:
                return
            talk.rate(heard, good=right)
            time.sleep(READING_SECONDS)
