"""A small byte-level BPE trainer.

Follows the byte-to-unicode table and the merge rule of GPT-2's tokenizer (published with "Language Models
are Unsupervised Multitask Learners", Radford et al., 2019), which is what llama.cpp reads under
``tokenizer.ggml.model = "gpt2"``.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

# GPT-2's pre-tokenizer with the classes that Python's own `re` has. It need not match letter by letter: a
# piece that llama.cpp splits differently is only encoded with a few more tokens.
_PIECE = re.compile(r" ?[^\W\d_]+| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")

Pair = tuple[str, str]


def byte_alphabet() -> list[str]:
    """Give the printable character that stands for each byte, indexed by the byte's value.

    Returns:
        256 one-character strings.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = [""] * 256
    for byte in printable:
        alphabet[byte] = chr(byte)
    moved = 0
    for byte in range(256):
        if not alphabet[byte]:
            alphabet[byte] = chr(0x100 + moved)
            moved += 1
    return alphabet


def token_bytes(token: str) -> bytes:
    """Translate a token of the vocabulary back to the bytes that it stands for.

    Args:
        token: a token made of characters of :func:`byte_alphabet`.

    Returns:
        the raw bytes; not necessarily valid UTF-8.
    """
    value = {character: byte for byte, character in enumerate(byte_alphabet())}
    return bytes(value[character] for character in token)


def train(text: str, merges: int) -> list[Pair]:
    """Learn merges from a text, the most frequent pair first.

    Equal counts are settled by the pair's own order, so that the result is always the same.

    Args:
        text: the text to learn from.
        merges: how many merges to learn.

    Returns:
        the merges, in the order in which an encoder must apply them.

    Raises:
        ValueError: when the text is too short for that many merges.
    """
    alphabet = byte_alphabet()
    counted = Counter(piece for line in text.splitlines() for piece in _PIECE.findall(line))
    words = {tuple(alphabet[byte] for byte in piece.encode()): count for piece, count in counted.items()}
    learned: list[Pair] = []
    while len(learned) < merges:
        pairs: Counter[Pair] = Counter()
        for word, count in words.items():
            for pair in pairwise(word):
                pairs[pair] += count
        if not pairs:
            raise ValueError(
                f"the text gives only {len(learned)} merges, {merges} are wanted:"
                " use a longer text or fewer merges"
            )
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        learned.append(best)
        words = {_merge(word, best): count for word, count in words.items()}
    return learned


def _merge(word: tuple[str, ...], pair: Pair) -> tuple[str, ...]:
    joined: list[str] = []
    position = 0
    while position < len(word):
        if word[position : position + 2] == pair:
            joined.append(pair[0] + pair[1])
            position += 2
        else:
            joined.append(word[position])
            position += 1
    return tuple(joined)
