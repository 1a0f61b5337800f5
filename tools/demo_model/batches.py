"""Examples for training: augmented questions with their answers, packed into rows of equal length."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tools.demo_model.augment import NONE, Strength, augment
from tools.demo_model.intents import LANGUAGES, OUT_OF_DOMAIN, Intent, Knowledge, choose
from tools.demo_model.tokenizer import Words, question

Numbers = npt.NDArray[np.int32]
Templates = Mapping[tuple[str, str], Sequence[str]]
ROW_TOKENS = 256
# How many predictions of a row are learned from: all of the answers, and of the questions what there is room
# for. Each costs a product with the whole vocabulary, a third of the time when all were taken.
ROW_COUNTED = 96


@dataclass(frozen=True)
class Batch:
    """Rows of ``ROW_TOKENS`` tokens, each of which sees those of its segment before it.

    ``counted`` are the places in a row whose next token is to be predicted, ``targets`` those tokens and
    ``weights`` how much each counts.
    """

    tokens: Numbers
    segments: Numbers
    positions: Numbers
    counted: Numbers
    targets: Numbers
    weights: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Mix:
    """What the examples are made of; shares are 0 to 1.

    ``short_answers`` of the examples end ``short_tokens`` after their intent: that one is hard to learn, and
    the rest, learned by heart, costs time. ``question_weight`` is how much predicting a token of the question
    counts, ``intent_weight`` the intent, where a token of the answer counts 1.
    """

    out_of_domain: float = 0.2
    history: float = 0.07
    short_answers: float = 0.87
    short_tokens: int = 2
    question_weight: float = 0.1
    intent_weight: float = 3.0
    strength: Strength = field(default_factory=Strength)


@dataclass(frozen=True)
class Example:
    """The tokens of one conversation; its answer begins at ``answer``, with the intent."""

    tokens: list[int]
    answer: int

    @property
    def answers(self) -> int:
        """How many tokens its answer has."""
        return len(self.tokens) - self.answer

    def fits(self, tokens: int, counted: int) -> bool:
        """Whether a row with room for ``tokens``, of which ``counted`` may be answers, can take it."""
        return len(self.tokens) <= tokens and self.answers <= counted


class Examples:
    """An endless source of examples; the same seed gives the same ones."""

    def __init__(self, knowledge: Knowledge, templates: Templates, words: Words, mix: Mix, seed: int) -> None:
        """Draw from ``templates``, those of each (intent, language)."""
        self._knowledge, self._templates, self._words, self._mix = knowledge, templates, words, mix
        self._source = random.Random(seed)  # noqa: S311 - not for secrets
        self._inside = [i for i in knowledge.intents.values() if i.name != OUT_OF_DOMAIN]
        self._first = [i for i in self._inside if not i.follows]

    def one(self) -> Example:
        """Return a new example."""
        source, mix = self._source, self._mix
        outside = source.random() < mix.out_of_domain and OUT_OF_DOMAIN in self._knowledge.intents
        intent = self._knowledge.intents[OUT_OF_DOMAIN] if outside else source.choice(self._inside)
        language = source.choice(LANGUAGES)
        before = None
        if intent.follows:
            before = self._turns(self._knowledge.intents[intent.follows], language)
        elif source.random() < mix.history:
            before = self._turns(source.choice(self._first), source.choice(LANGUAGES))
        asked, answer = self._turns(intent, language)
        example = encode(self._words, asked, intent.name, answer, before)
        if source.random() < mix.short_answers:
            return Example(example.tokens[: example.answer + 1 + mix.short_tokens], example.answer)
        return example

    def _turns(self, intent: Intent, language: str) -> tuple[str, str]:
        template = self._source.choice(self._templates[intent.name, language])
        strength = NONE if self._source.random() < 0.15 else self._mix.strength
        asked = augment(choose(template, self._source), language, self._source, strength)
        return asked, intent.answers[language]

    def batches(self, rows: int) -> Iterator[Batch]:
        """Yield batches of ``rows`` rows, each row filled with as many examples as fit."""
        waiting: list[Example] = []
        while True:
            packed: list[list[Example]] = []
            while len(packed) < rows:
                row, room, counted = [], ROW_TOKENS, ROW_COUNTED
                while True:
                    while len(waiting) < 16:
                        example = self.one()
                        if example.fits(ROW_TOKENS, ROW_COUNTED):
                            waiting.append(example)
                    index = next((n for n, e in enumerate(waiting) if e.fits(room, counted)), None)
                    if index is None:
                        break
                    row.append(waiting.pop(index))
                    room -= len(row[-1].tokens)
                    counted -= row[-1].answers
                packed.append(row)
            yield pack(packed, self._mix.question_weight, self._mix.intent_weight)


def encode(words: Words, asked: str, intent: str, answer: str, before: tuple[str, str] | None) -> Example:
    """Return the tokens of a question, with the turns before it, of its intent and of its whole answer."""
    prompt = words.encode(question(asked, before))
    return Example([*prompt, words.intent(intent), *words.encode(answer), words.end], len(prompt))


def pack(rows: Sequence[Sequence[Example]], question_weight: float, intent_weight: float = 1.0) -> Batch:
    """Lay examples out side by side, each a segment of its own, numbered from 1.

    Of the questions' tokens as many are predicted as there is room for; together they count as if all were.
    """
    shape, fewer = (len(rows), ROW_TOKENS), (len(rows), ROW_COUNTED)
    tokens, segments, positions = (np.zeros(shape, np.int32) for _ in range(3))
    counted, targets, weights = (
        np.zeros(fewer, np.int32),
        np.zeros(fewer, np.int32),
        np.zeros(fewer, np.float32),
    )
    for row, examples in enumerate(rows):
        at = 0
        asked: list[int] = []
        answered: list[int] = []
        intents: list[int] = []
        for number, example in enumerate(examples, 1):
            length = len(example.tokens)
            here = slice(at, at + length)
            tokens[row, here] = example.tokens
            segments[row, here] = number
            positions[row, here] = np.arange(length)
            intents.append(len(answered))
            asked.extend(range(at, at + example.answer - 1))
            answered.extend(range(at + example.answer - 1, at + length - 1))
            at += length
        room = min(ROW_COUNTED - len(answered), len(asked)) if question_weight else 0
        some = [asked[n] for n in np.linspace(0, len(asked) - 1, room).astype(int)]
        places = answered + some
        counted[row, : len(places)] = places
        targets[row, : len(places)] = tokens[row, 1 + np.array(places, np.int32)]
        weights[row, : len(answered)] = 1.0
        weights[row, intents] = intent_weight
        if some:
            weights[row, len(answered) : len(places)] = question_weight * len(asked) / len(some)
    return Batch(tokens, segments, positions, counted, targets, weights)


def split(knowledge: Knowledge, *, most: int, hold_back: bool, seed: int) -> tuple[Templates, Templates]:
    """Choose templates for training, and those that early figures are measured with.

    Args:
        knowledge: all intents.
        most: how many templates of an intent in a language are learned; 0 means all.
        hold_back: whether one of each intent in each language, if it has three, is kept out of training.
        seed: which ones.

    Returns:
        the templates for training and the ones held back (empty without ``hold_back``). What the data calls
        held out is in neither.
    """
    learned: dict[tuple[str, str], Sequence[str]] = {}
    back: dict[tuple[str, str], Sequence[str]] = {}
    for intent in knowledge.intents.values():
        for language in LANGUAGES:
            source = random.Random(f"{seed} {intent.name} {language}")  # noqa: S311 - not for secrets
            templates = list(intent.phrasings[language])
            source.shuffle(templates)
            if hold_back and len(templates) >= 3:
                back[intent.name, language] = [templates.pop()]
            limit = most if intent.name != OUT_OF_DOMAIN else most * 10
            learned[intent.name, language] = templates[:limit] if most else templates
    return learned, back
