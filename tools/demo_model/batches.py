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


@dataclass(frozen=True)
class Batch:
    """Rows of ``ROW_TOKENS`` tokens; ``weights`` says how much each token's prediction counts."""

    tokens: Numbers
    segments: Numbers
    positions: Numbers
    targets: Numbers
    weights: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Mix:
    """What the examples are made of; shares are 0 to 1.

    ``short_answers`` of the examples end after ``short_tokens`` of their answer: which answer it is shows at
    its beginning, and the rest costs time. ``question_weight`` is how much predicting the question counts.
    """

    out_of_domain: float = 0.12
    history: float = 0.15
    short_answers: float = 0.6
    short_tokens: int = 10
    question_weight: float = 0.1
    strength: Strength = field(default_factory=Strength)


@dataclass(frozen=True)
class Example:
    """The tokens of one conversation; its answer begins at ``answer``."""

    tokens: list[int]
    answer: int


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
        example = encode(self._words, asked, answer, before)
        if source.random() < mix.short_answers:
            return Example(example.tokens[: example.answer + mix.short_tokens], example.answer)
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
                row, room = [], ROW_TOKENS
                while True:
                    while len(waiting) < 16:
                        example = self.one()
                        if len(example.tokens) <= ROW_TOKENS:
                            waiting.append(example)
                    index = next((n for n, e in enumerate(waiting) if len(e.tokens) <= room), None)
                    if index is None:
                        break
                    row.append(waiting.pop(index))
                    room -= len(row[-1].tokens)
                packed.append(row)
            yield pack(packed, self._mix.question_weight)


def encode(words: Words, asked: str, answer: str, before: tuple[str, str] | None) -> Example:
    """Return the tokens of a question, with the turns before it, and of its whole answer."""
    prompt = words.encode(question(asked, before))
    return Example([*prompt, *words.encode(answer), words.end], len(prompt))


def pack(rows: Sequence[Sequence[Example]], question_weight: float) -> Batch:
    """Lay examples out side by side, each a segment of its own, numbered from 1."""
    shape = (len(rows), ROW_TOKENS)
    tokens, segments = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    positions, targets = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    weights = np.zeros(shape, np.float32)
    for row, examples in enumerate(rows):
        at = 0
        for number, example in enumerate(examples, 1):
            length = len(example.tokens)
            here = slice(at, at + length)
            tokens[row, here] = example.tokens
            segments[row, here] = number
            positions[row, here] = np.arange(length)
            targets[row, at : at + length - 1] = example.tokens[1:]
            weights[row, at : at + example.answer - 1] = question_weight
            weights[row, at + example.answer - 1 : at + length - 1] = 1.0
            at += length
    return Batch(tokens, segments, positions, targets, weights)


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
