"""What the demonstration model knows: intents with answers, and templates of the questions.

A file of ``intents/`` holds one topic. ``phrasings`` are templates for training, ``held_out`` templates that
training never sees. A template's ``{one|other|}`` stands for each of its alternatives; they do not nest. An
intent that ``follows`` another is a next turn: it is asked after that one's answer. Questions about anything
else stand in ``out_of_domain.yml``, with the one answer to them, and in ``out_of_domain/*.yml``.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ("en", "zh")
OUT_OF_DOMAIN = "out-of-domain"
FOLDER = Path(__file__).parent
# More than this many texts of one template are a mistake rather than a template.
MOST_EXPANSIONS = 20000
_CHOICE = re.compile(r"\{([^{}]*)\}")
_IDENTIFIER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_WORDS = re.compile(r"[^\w]+|_")


class DataError(Exception):
    """The data is wrong; the text names the file, the intent and what to change."""


@dataclass(frozen=True)
class Intent:
    """One thing that can be asked; the mappings go by language."""

    name: str
    topic: str
    answers: Mapping[str, str]
    phrasings: Mapping[str, tuple[str, ...]]
    held_out: Mapping[str, tuple[str, ...]]
    follows: str = ""


@dataclass(frozen=True)
class Knowledge:
    """All intents by name; the answer to everything else is the one called ``OUT_OF_DOMAIN``."""

    intents: Mapping[str, Intent]

    def answers(self) -> dict[tuple[str, str], str]:
        """Return all answers by (intent, language)."""
        return {(i.name, lang): i.answers[lang] for i in self.intents.values() for lang in LANGUAGES}

    def before(self, intent: Intent, language: str) -> tuple[str, str] | None:
        """Return the question and answer that a next turn comes after; None for a first turn."""
        if not intent.follows:
            return None
        parent = self.intents[intent.follows]
        return next(expand(parent.phrasings[language][0])), parent.answers[language]


def plain(text: str) -> str:
    """Return ``text`` in lower case without blanks and punctuation: what makes two questions the same."""
    return _WORDS.sub("", text).lower()


def parts(template: str) -> list[list[str]]:
    """Split a template into parts, each a list of its alternatives.

    Raises:
        ValueError: a brace is missing or stands inside others.
    """
    pieces = _CHOICE.split(template)
    if any("{" in piece or "}" in piece for piece in pieces):
        raise ValueError(f"braces of {template!r} do not match, or stand inside others")
    return [piece.split("|") if index % 2 else [piece] for index, piece in enumerate(pieces)]


def expand(template: str) -> Iterator[str]:
    """Yield each text that a template stands for.

    Raises:
        ValueError: see ``parts``.
    """
    for chosen in itertools.product(*parts(template)):
        yield tidy("".join(chosen))


def choose(template: str, source: random.Random) -> str:
    """Return one of a template's texts, all alternatives of a part being equally likely."""
    return tidy("".join(source.choice(part) for part in parts(template)))


def tidy(text: str) -> str:
    """Remove what an alternative that was left out leaves behind: doubled blanks and those at the ends."""
    return re.sub(r" +([,?.!])", r"\1", " ".join(text.split()))


def load(folder: Path = FOLDER) -> Knowledge:
    """Read and check ``folder``'s ``intents/*.yml``, ``out_of_domain.yml`` and ``out_of_domain/*.yml``.

    Raises:
        DataError: something is missing, doubled or misspelt, or a held-out question can be met in training.
    """
    found: dict[str, Intent] = {}
    files = sorted((folder / "intents").glob("*.yml"))
    if not files:
        raise DataError(f"{folder / 'intents'} holds no .yml file")
    for path in files:
        document = read_mapping(path)
        if not isinstance(document.get("topic"), str) or not isinstance(document.get("intents"), list):
            raise DataError(f"{path.name}: needs `topic: NAME` and a list `intents:`")
        for entry in document["intents"]:
            intent = _intent(path, document["topic"], entry)
            if intent.name in found:
                raise DataError(f"{path.name}: there is another intent {intent.name}; choose a new id")
            found[intent.name] = intent
    found[OUT_OF_DOMAIN] = _outside(folder)
    _check_together(found)
    return Knowledge(found)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping that a data file is.

    Raises:
        DataError: it cannot be read, or is none.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise DataError(f"{name}: {error}") from None
    if not isinstance(document, dict):
        raise DataError(f"{name}: needs `key: value` lines at its top")
    return document


def _intent(path: Path, topic: str, entry: object) -> Intent:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise DataError(f"{path.name}: each intent needs an id, for example `- id: group-mention`")
    where = f"{path.name}, {entry['id']}"
    if not _IDENTIFIER.fullmatch(entry["id"]):
        raise DataError(f"{where}: an id has small letters, digits and hyphens, for example group-mention")
    extra = set(entry) - {"id", "answer", "phrasings", "held_out", "follows"}
    if extra:
        raise DataError(f"{where}: does not know {', '.join(sorted(map(str, extra)))}")
    answers = _by_language(where, entry, "answer")
    for language, text in answers.items():
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: answer.{language} must be a text")
    return Intent(
        entry["id"],
        topic,
        {language: tidy(text) for language, text in answers.items()},
        _templates(where, entry, "phrasings"),
        _templates(where, entry, "held_out"),
        str(entry.get("follows") or ""),
    )


def _outside(folder: Path) -> Intent:
    path = folder / "out_of_domain.yml"
    found = _intent(path, OUT_OF_DOMAIN, {**read_mapping(path), "id": OUT_OF_DOMAIN})
    for path in sorted((folder / "out_of_domain").glob("*.yml")):
        document = read_mapping(path)
        where = f"out_of_domain/{path.name}"
        extra = set(document) - {"phrasings", "held_out"}
        if extra:
            raise DataError(f"{where}: does not know {', '.join(sorted(map(str, extra)))}")
        phrasings, held_out = (_templates(where, document, key) for key in ("phrasings", "held_out"))
        found = replace(
            found,
            phrasings={lang: found.phrasings[lang] + phrasings[lang] for lang in LANGUAGES},
            held_out={lang: found.held_out[lang] + held_out[lang] for lang in LANGUAGES},
        )
    return found


def _by_language(where: str, entry: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = entry.get(key)
    if not isinstance(value, dict) or set(value) != set(LANGUAGES):
        raise DataError(f"{where}: {key} needs exactly {' and '.join(LANGUAGES)}")
    return value


def _templates(where: str, entry: Mapping[str, Any], key: str) -> dict[str, tuple[str, ...]]:
    found = {}
    for language, templates in _by_language(where, entry, key).items():
        if not isinstance(templates, list) or not templates:
            raise DataError(f"{where}: {key}.{language} must be a list of at least one template")
        for template in templates:
            if not isinstance(template, str) or not plain(template):
                raise DataError(f"{where}: {key}.{language} has {template!r}, which is no text; quote it")
            try:
                count = 1
                for part in parts(template):
                    count *= len(part)
            except ValueError as error:
                raise DataError(f"{where}: {key}.{language}: {error}") from None
            if count > MOST_EXPANSIONS:
                raise DataError(f"{where}: {template!r} stands for {count} texts; split it")
        found[language] = tuple(templates)
    return found


def _check_together(found: Mapping[str, Intent]) -> None:
    seen: dict[str, str] = {}
    for intent in found.values():
        if intent.follows and intent.follows not in found:
            raise DataError(f"{intent.name}: follows {intent.follows}, which does not exist")
        for language, text in intent.answers.items():
            other = seen.setdefault(plain(text), intent.name)
            if other != intent.name:
                raise DataError(
                    f"{intent.name} and {other} have the same answer.{language}; make them differ"
                )
    for problem in overlaps(found.values()):
        raise DataError(problem)


def overlaps(intents: Iterable[Intent]) -> Iterator[str]:
    """Yield a sentence for each question that two intents claim, or that is both learned and held out."""
    learned: dict[tuple[str, str], str] = {}
    intents = list(intents)
    for intent in intents:
        for template in itertools.chain(*intent.phrasings.values()):
            for text in expand(template):
                other = learned.setdefault((intent.follows, plain(text)), intent.name)
                if other != intent.name:
                    yield f"{intent.name} and {other} are both asked {text!r}; take it from one of them"
    for intent in intents:
        for template in itertools.chain(*intent.held_out.values()):
            for text in expand(template):
                owner = learned.get((intent.follows, plain(text)))
                if owner is not None:
                    yield f"{intent.name}: held_out has {text!r}, as {owner}'s phrasings have; change it"
