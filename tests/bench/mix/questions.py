"""What people ask: mostly the frequent questions, some far more often than others, and some new ones."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path

from tools.controller.cache import ROOT

FREQUENT = ROOT / "files" / "questions" / "demo.jsonl"
# By others than those above: what the model was not trained on, in words that it has not met.
NEW = ROOT / "files" / "evaluation" / "demo.jsonl"
SHARE = 0.85
# Zipf's law: the question of rank r is asked 1/r times as often as the first. Measured for queries to search
# engines: Baeza-Yates et al., "The impact of caching on search engines", SIGIR 2007,
# doi:10.1145/1277741.1277775.
EXPONENT = 1.0
# Whoever asks in words of their own says where they come from; each pair of question and place is asked once.
_OPENINGS = {
    "en": "Our team in {place} (room {room}) would like to know: {text}",
    "zh": "我们是{place}的团队（{room}室），想问一下：{text}",
}
_PLACES = {
    "en": ("Leeds", "Porto", "Turku", "Graz", "Lyon", "Ghent", "Bergen", "Zadar"),
    "zh": ("苏州", "无锡", "绍兴", "佛山", "泉州", "洛阳", "桂林", "烟台"),
}


def frequent() -> list[str]:
    """Return the frequent questions, each the first of its conversation."""
    return list(dict.fromkeys(text for _, text in _first_turns(FREQUENT)))


def _first_turns(path: Path) -> list[tuple[str, str]]:
    entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        (entry["language"], entry["messages"][0]["content"])
        for entry in entries
        if len(entry["messages"]) == 1
    ]


class Mix:
    """Draws questions; what is new is never drawn twice."""

    def __init__(self, seed: int = 1) -> None:
        """Give each frequent question its rank; the same ``seed`` draws the same questions."""
        self._source = random.Random(seed)
        self._frequent = frequent()
        self._source.shuffle(self._frequent)
        ranks = range(1, len(self._frequent) + 1)
        self._weights = list(itertools.accumulate(rank**-EXPONENT for rank in ranks))
        self._rooms = itertools.count(100)
        self._new = _first_turns(NEW)

    def draw(self, count: int) -> list[str]:
        """Return ``count`` questions, ``SHARE`` of them, rounded, frequent ones, in random order."""
        known = round(count * SHARE)
        texts: Sequence[str] = self._source.choices(self._frequent, cum_weights=self._weights, k=known)
        drawn = [*texts, *(self._unheard() for _ in range(count - known))]
        self._source.shuffle(drawn)
        return drawn

    def _unheard(self) -> str:
        language, text = self._source.choice(self._new)
        place = self._source.choice(_PLACES[language])
        return _OPENINGS[language].format(place=place, room=next(self._rooms), text=text)
