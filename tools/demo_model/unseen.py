"""Questions by somebody who was shown the answers only: the stricter judge of what a model has learned.

Whoever wrote the held-out templates wrote the training ones too. The author of these saw neither.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from tools.demo_model.intents import FOLDER, LANGUAGES, DataError, Knowledge, expand, plain, read_mapping

Unseen = Mapping[tuple[str, str], tuple[str, ...]]


def load_unseen(knowledge: Knowledge, folder: Path = FOLDER / "unseen") -> Unseen:
    """Read ``en.yml`` and ``zh.yml`` of ``folder``: a list of questions for each intent.

    Returns:
        the questions by (intent, language). Those that happen to be learned word for word are left out.

    Raises:
        DataError: a file is missing or is no such mapping, or it names an intent that does not exist.
    """
    learned = {
        plain(text)
        for intent in knowledge.intents.values()
        for template in itertools.chain(*intent.phrasings.values())
        for text in expand(template)
    }
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for language in LANGUAGES:
        path = folder / f"{language}.yml"
        document = read_mapping(path)
        for name, texts in document.items():
            if name not in knowledge.intents:
                raise DataError(f"unseen/{path.name}: there is no intent {name}; rename or remove it")
            if not isinstance(texts, list) or not all(
                isinstance(text, str) and plain(text) for text in texts
            ):
                raise DataError(f"unseen/{path.name}, {name}: needs a list of questions in quotes")
            found[name, language] = tuple(text for text in texts if plain(text) not in learned)
    return found
