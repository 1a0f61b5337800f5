"""A sample of what people really asked: which messages, and not a word of them.

The texts stay in the database, where they are encrypted, expire, and can be erased; they are read and masked
again whenever they are needed.
"""

import hashlib
import json
import os
import random
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from assistant.evaluation import EvaluationError
from assistant.evaluation.questions import Question
from assistant.masking import mask
from assistant.store import Database
from assistant.store.asked import asked, texts
from assistant.texts import language_of

# A digest of fewer texts could be guessed, and would tell nothing about a model.
LEAST = 20
LONGEST_CHARACTERS = 2000
# A text is of the kind of the curated question that it shares at least so much with (Dice's coefficient).
ALIKE = 0.3
OTHER = "other"
DAY = 86400.0


class Item(BaseModel):
    """A message by its number in the database, and its stratum."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    number: int
    channel: str
    language: Literal["en", "zh"]
    kind: str


class Sample(BaseModel):
    """A frozen sample; ``sha256`` is of the masked texts with their strata."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    made: float
    days: int
    seed: int
    sha256: str
    items: list[Item]


def collect(database: Database, *, days: int, most: int, seed: int, curated: Sequence[Question]) -> Sample:
    """Return a sample of the last ``days``: masked, each text once, strata in proportion.

    Args:
        database: where people's messages are.
        days: how far back.
        most: how many at most.
        seed: of the choice.
        curated: the questions that give a text its kind.

    Raises:
        EvaluationError: there are too few.
    """
    grams = [(q.kind, bigrams(q.messages[-1].content)) for q in curated]
    strata: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
    masked: dict[int, str] = {}
    seen = set()
    for one in asked(database, days * DAY):
        text = mask(one.text).strip()
        key = plain(text)
        if not key or key in seen or len(text) > LONGEST_CHARACTERS:
            continue
        seen.add(key)
        language: Literal["en", "zh"] = "zh" if language_of(text) == "zh" else "en"
        item = Item(number=one.number, channel=one.platform, language=language, kind=_kind(text, grams))
        strata[item.channel, item.language, item.kind].append(item)
        masked[one.number] = text
    if len(masked) < LEAST:
        raise EvaluationError(
            f"{len(masked)} different questions opened a conversation in {days} days; a sample takes at "
            f"least {LEAST}"
        )
    source = random.Random(seed)  # noqa: S311 - it chooses questions, it guards nothing
    chosen = [
        item
        for name, count in shares({name: len(items) for name, items in strata.items()}, most).items()
        for item in source.sample(strata[name], count)
    ]
    items = sorted(chosen, key=lambda item: item.number)
    return Sample(made=time.time(), days=days, seed=seed, sha256=_digest(items, masked), items=items)


def shares(sizes: Mapping[tuple[str, str, str], int], most: int) -> dict[tuple[str, str, str], int]:
    """Return how many to take of each stratum: in proportion, by largest remainders, ``most`` in all."""
    whole = sum(sizes.values())
    if whole <= most:
        return dict(sorted(sizes.items()))
    exact = {name: most * size / whole for name, size in sorted(sizes.items())}
    found = {name: int(share) for name, share in exact.items()}
    by_rest = sorted(exact, key=lambda name: (found[name] - exact[name], name))
    for name in by_rest[: most - sum(found.values())]:
        found[name] += 1
    return found


def masked_texts(database: Database, sample: Sample) -> dict[int, str]:
    """Return the masked texts that are still there; those whose people were forgotten are not.

    Raises:
        EvaluationError: all are there and are not those that were frozen.
    """
    found = {n: mask(t).strip() for n, t in texts(database, [i.number for i in sample.items]).items()}
    if len(found) == len(sample.items) and _digest(sample.items, found) != sample.sha256:
        raise EvaluationError(
            "--sample: its messages have other texts than when it was made, or are masked otherwise by this "
            "version; make a new one with evaluate collect"
        )
    return found


def write_sample(path: Path, sample: Sample) -> None:
    """Write ``sample`` into a new file.

    Raises:
        EvaluationError: the file is there: what is frozen is not replaced.
    """
    try:
        with open(path, "x", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(sample.model_dump_json(indent=2) + "\n")
    except FileExistsError:
        raise EvaluationError(f"--out: {path} is there already; a sample is not replaced") from None


def read_sample(path: Path) -> Sample:
    """Read a sample.

    Raises:
        EvaluationError: it cannot be read or is none.
    """
    try:
        return Sample.model_validate_json(path.read_bytes())
    except OSError as error:
        raise EvaluationError(f"--sample: {path} cannot be read ({error.strerror})") from None
    except ValidationError:
        raise EvaluationError(f"--sample: {path} is none; evaluate collect makes one") from None


def plain(text: str) -> str:
    """Return what makes two texts the same: NFKC, no case, letters and digits alone."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def bigrams(text: str) -> Counter[str]:
    """Count the pairs of neighbouring characters."""
    bare = plain(text)
    return Counter(bare[n : n + 2] for n in range(max(1, len(bare) - 1)))


def _kind(text: str, grams: Sequence[tuple[str, Counter[str]]]) -> str:
    mine = bigrams(text)
    score, kind = max(
        ((2 * (mine & g).total() / (mine.total() + g.total()), kind) for kind, g in grams),
        default=(0.0, OTHER),
    )
    return kind if score >= ALIKE else OTHER


def _digest(items: Sequence[Item], masked: Mapping[int, str]) -> str:
    lines = [json.dumps([*i.model_dump().values(), masked[i.number]], ensure_ascii=False) for i in items]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
