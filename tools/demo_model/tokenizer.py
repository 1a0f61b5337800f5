"""The model's tokenizer: byte-level BPE, learned from the training texts.

A Chinese character is one token and never a part of a longer one: with the few texts that there are, whole
phrases as tokens would be learned by heart. Words in Latin letters are merged as far as the vocabulary
reaches. An intent has a control token of its own, which begins every answer and is never shown: with it the
model says once what it was asked, where the first words of answers, shared by many, would say it bit by bit.

The regular expression that splits a text first is GPT-2's, which llama.cpp knows under the name ``gpt-2``
(llama-vocab.cpp, LLAMA_VOCAB_PRE_TYPE_GPT2).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tools.tiny_model.bpe import Pair
from tools.tiny_model.metadata import IM_END, IM_START, SPECIAL_TOKENS

# The model was trained on a question, at most with one turn before it, and on no system prompt: it could not
# follow one. So older turns and the system's are left out here, whatever an operator's prompt says.
CHAT_TEMPLATE = (
    "{% set turns = messages | rejectattr('role', 'equalto', 'system') | list %}"
    "{% for turn in turns[-3:] %}{{ '<|im_start|>' + turn['role'] + '\\n' + turn['content']"
    " + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
VOCABULARY = 3072
_WIDE = re.compile(r"([\u3000-\u303f\u3400-\u9fff\uff00-\uffef])")


@dataclass(frozen=True)
class Words:
    """A tokenizer, and what a GGUF file needs of it; ``controls`` are tokens without a text to show."""

    tokenizer: Any
    tokens: tuple[str, ...]
    merges: tuple[Pair, ...]
    controls: frozenset[str]

    def encode(self, text: str) -> list[int]:
        """Return the tokens of ``text``; texts of special tokens become those tokens."""
        return list(self.tokenizer.encode(text).ids)

    def intent(self, name: str) -> int:
        """Return the control token of the intent ``name``.

        Raises:
            KeyError: the tokenizer was learned without it.
        """
        return self._numbers[intent_token(name)]

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of ``tokens``, special ones left out."""
        return str(self.tokenizer.decode(list(tokens)))

    @property
    def end(self) -> int:
        """The token that ends a turn."""
        return self._numbers[IM_END]


def intent_token(name: str) -> str:
    """Return the text under which the vocabulary lists the token of the intent ``name``."""
    return f"<|{name}|>"


def learn(texts: Iterable[str], intents: Iterable[str], size: int = VOCABULARY) -> Words:
    """Learn at most ``size`` tokens from ``texts``, and one for each of ``intents``; deterministic."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        show_progress=False,
        special_tokens=[],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    # Each Chinese character on a line of its own: merges then never join two.
    tokenizer.train_from_iterator((p for t in texts for p in _WIDE.split(t) if p), trainer)
    controls = [*SPECIAL_TOKENS, *map(intent_token, intents)]
    tokenizer.add_special_tokens(controls)
    return words(json.loads(tokenizer.to_str()), controls)


def words(document: Any, controls: Iterable[str]) -> Words:
    """Return the tokenizer that ``document`` (the ``tokenizers`` library's JSON) describes."""
    tokenizer = Tokenizer.from_str(json.dumps(document))
    by_number = {number: token for token, number in tokenizer.get_vocab(with_added_tokens=True).items()}
    parts = (m.split(" ") if isinstance(m, str) else m for m in document["model"]["merges"])
    merges = tuple((left, right) for left, right in parts)
    return Words(tokenizer, tuple(by_number[n] for n in range(len(by_number))), merges, frozenset(controls))


def turn(role: str, text: str) -> str:
    """Return one finished turn as the template writes it."""
    return f"{IM_START}{role}\n{text}{IM_END}\n"


def question(text: str, before: tuple[str, str] | None = None) -> str:
    """Return a prompt as the template writes it; ``before`` is the question and answer before it."""
    earlier = turn("user", before[0]) + turn("assistant", before[1]) if before else ""
    return f"{earlier}{turn('user', text)}{IM_START}assistant\n"
