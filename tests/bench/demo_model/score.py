"""How often a served model gives the right answer to questions by templates that training never saw."""

from __future__ import annotations

import json
import math
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from tools.demo_model.intents import LANGUAGES, OUT_OF_DOMAIN, Knowledge, choose, plain

SIMILAR = 0.8
SEED = 1
# How many are asked at once where only the answers count; where time counts, one is.
AT_ONCE = 4
RETRY_SECONDS = 0.5
Key = tuple[str, str]
Message = dict[str, str]


@dataclass(frozen=True)
class Asked:
    """A question of (intent, language) ``key``, with the turns before it."""

    key: Key
    topic: str
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Marked:
    """What came back; ``taken_for`` is whose answer it is nearest to, None where it is near to none."""

    asked: Asked
    answer: str
    taken_for: Key | None

    @property
    def right(self) -> bool:
        """Whether it is the answer of the intent that was asked for, in the question's language."""
        return self.taken_for == self.asked.key


@dataclass(frozen=True)
class Speed:
    """Medians of answers given one at a time."""

    first_token_ms: float
    tokens_per_second: float


class Nearest:
    """Finds the known answer that a text is most like."""

    def __init__(self, answers: Mapping[Key, str]) -> None:
        """Remember ``answers``."""
        self._exact = {plain(text): key for key, text in answers.items()}
        self._bigrams = {key: bigrams(text) for key, text in answers.items()}

    def find(self, text: str) -> Key | None:
        """Return whose answer ``text`` is, or None when it is less than ``SIMILAR`` to the nearest."""
        if (key := self._exact.get(plain(text))) is not None:
            return key
        mine = bigrams(text)
        best = max(self._bigrams, key=lambda key: f1(mine, self._bigrams[key]))
        return best if f1(mine, self._bigrams[best]) >= SIMILAR else None


def bigrams(text: str) -> Counter[str]:
    """Count the pairs of neighbouring characters, without blanks and punctuation."""
    bare = plain(text)
    return Counter(bare[n : n + 2] for n in range(max(1, len(bare) - 1)))


def f1(one: Counter[str], other: Counter[str]) -> float:
    """Return the harmonic mean of precision and recall of what two counts share: 0 to 1."""
    both = one.total() + other.total()
    return 2 * (one & other).total() / both if both else 0.0


def questions(
    knowledge: Knowledge, templates: Mapping[Key, Sequence[str]] | None = None, seed: int = SEED
) -> list[Asked]:
    """Return one question of each template; a next turn comes after its intent's question.

    Args:
        knowledge: what can be asked.
        templates: templates by (intent, language); those held out when None.
        seed: which of a template's texts.
    """
    source = random.Random(seed)
    found = []
    for intent in knowledge.intents.values():
        for language in LANGUAGES:
            earlier = knowledge.before(intent, language)
            before: list[Message] = []
            if earlier:
                before = [
                    {"role": "user", "content": earlier[0]},
                    {"role": "assistant", "content": earlier[1]},
                ]
            mine = intent.held_out[language] if templates is None else templates[intent.name, language]
            for template in mine:
                message = {"role": "user", "content": choose(template, source)}
                found.append(Asked((intent.name, language), intent.topic, (*before, message)))
    return found


class Served:
    """A running assistant's API."""

    def __init__(self, url: str, token: str, authority: Path | None = None) -> None:
        """Talk to ``url``, for example http://127.0.0.1:8080, with the API's ``token``.

        ``authority`` is the file of the certificate authority that a deployed assistant has made itself.
        """
        self.url = url
        verify = ssl.create_default_context(cafile=authority)
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=120,
            trust_env=False,
            verify=verify,
        )

    def answer(self, messages: Sequence[Message]) -> str:
        """Return the greedy answer.

        Raises:
            httpx.HTTPError: the assistant cannot be reached, or refuses.
        """
        body = {"messages": messages, "temperature": 0}
        response = self._client.post("/v1/chat/completions", json=body)
        while response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            # The proxy lets an address ask five times a second.
            time.sleep(RETRY_SECONDS)
            response = self._client.post("/v1/chat/completions", json=body)
        response.raise_for_status()
        return str(response.json()["choices"][0]["message"]["content"])

    def timed(self, messages: Sequence[Message]) -> tuple[float, float] | None:
        """Return seconds to the first text and tokens a second after it; None for an answer without any.

        Raises:
            httpx.HTTPError: as in ``answer``.
        """
        body = {
            "messages": messages,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        begun = time.perf_counter()
        first = last = 0.0
        tokens = 0
        with self._client.stream("POST", "/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if not line.startswith("data: {"):
                    continue
                chunk = json.loads(line.removeprefix("data: "))
                if chunk.get("usage"):
                    tokens = chunk["usage"]["completion_tokens"]
                if any(choice["delta"].get("content") for choice in chunk["choices"]):
                    last = time.perf_counter()
                    first = first or last
        if last <= first or tokens < 2:
            return None
        return first - begun, (tokens - 1) / (last - first)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


def ask_all(
    served: Served, asked: Sequence[Asked], answers: Mapping[Key, str], say: Callable[[str], None] = print
) -> list[Marked]:
    """Ask every question and mark the answers."""
    nearest = Nearest(answers)
    marked = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for one, text in zip(asked, pool.map(lambda a: served.answer(a.messages), asked), strict=True):
            marked.append(Marked(one, text, nearest.find(text)))
            if len(marked) % 200 == 0:
                say(f"  {len(marked)} of {len(asked)} questions")
    return marked


def speed(served: Served, asked: Sequence[Asked], count: int = 40) -> Speed:
    """Measure ``count`` answers one after the other.

    Raises:
        ValueError: no answer had any text to measure.
    """
    chosen = random.Random(SEED).sample(list(asked), min(count, len(asked)))
    times = [t for one in chosen if (t := served.timed(one.messages)) is not None]
    if not times:
        raise ValueError("no answer had two tokens, so that no speed can be measured")
    firsts, rates = zip(*times, strict=True)
    return Speed(_median(firsts) * 1000, _median(rates))


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def wilson(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927, doi:10.1080/01621459.1927.10502953)."""
    if not total:
        return 0.0, 1.0
    z = 1.959964
    share, square = right / total, z * z / total
    middle = share + square / 2
    spread = z * math.sqrt(share * (1 - share) / total + square / (4 * total))
    return (middle - spread) / (1 + square), (middle + spread) / (1 + square)


def accuracy(marked: Iterable[Marked], *, outside: bool = False) -> float:
    """Return the share of right answers to what the model knows, or, with ``outside``, to anything else."""
    chosen = [m.right for m in marked if (m.asked.key[0] == OUT_OF_DOMAIN) == outside]
    return sum(chosen) / len(chosen) if chosen else 0.0


def table(name: str, marked: Sequence[Marked]) -> str:
    """Lay out right answers by language and by topic, each with its 95 % interval."""
    inside = [m for m in marked if m.asked.key[0] != OUT_OF_DOMAIN]
    groups: dict[str, list[Marked]] = {"all intents": inside}
    for language in LANGUAGES:
        groups[f"  in {language}"] = [m for m in inside if m.asked.key[1] == language]
    for topic in sorted({m.asked.topic for m in inside}):
        groups[f"  {topic}"] = [m for m in inside if m.asked.topic == topic]
    groups["anything else"] = [m for m in marked if m.asked.key[0] == OUT_OF_DOMAIN]
    lines = [f"{name:<24}  right   of  share  95 % interval"]
    for title, several in groups.items():
        if several:
            right = sum(m.right for m in several)
            low, high = wilson(right, len(several))
            share = right / len(several)
            lines.append(f"{title:<24} {right:>6} {len(several):>4} {share:>6.1%}  {low:.1%} to {high:.1%}")
    return "\n".join(lines)
