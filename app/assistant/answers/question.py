"""When two questions are the same one: in the same words, whatever the keyboard made of them.

Only what does not change the meaning is put aside: width and composition of letters (NFKC), white space,
case and marks at the end. Wherever that might not hold the difference stays: a missed hit costs a
generation, a false one is a wrong answer. So these stay as they are:

- raised, lowered and fraction signs, which NFKC would turn into other numbers (5² into 52);
- words in capitals that mean something else in small letters (IT, US, WHO), unless all is in capitals;
- all letters of a text with Turkish's own i's, whose pairs are others; and ß, which is not ss;
- a ``!`` behind a digit or a single letter (5!, n!), a row of full stops (1 2 3 ...), and every other mark;
- a ``?`` where only it tells the question from a statement (You are open on Sunday?).
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby

# Everyday words whose capitals are an abbreviation of something else.
_ABBREVIATIONS = """
act ad ai aids al am an as at be ca can co con cop dad de do era ex fat fed gap gas go ham hi id in io is it
la led lot ma may me met mid mit ms nor nut of oh ok on or pa pam pat pet pin pm ram rap rat rip rom sad sat
sim so swat tab tan tip to up us was who win
"""
ABBREVIATIONS = frozenset(_ABBREVIATIONS.split())
TURKISH = re.compile("[ıİ]")
WORD = re.compile("[A-Z]+")
# From so many words on, capitals are a manner of writing and no abbreviations.
SHOUTED_WORDS = 3
CAPITALS = re.compile(r"\b[A-Z]{2,4}\b")
# Questions also without their mark; nothing that may be an order or a statement without it (do it).
QUESTION = re.compile(
    r"(what|who|whom|whose|which|when|where|why|how)('s|s|'re)? "
    r"|(can|could|do|does|did|is|are|was|were|will|would|should|may|have|has) (i|you|we|they|he|she|there) "
    r"|请问|怎么|如何|为什么|为何|为啥|能否|可否|是否|能不能|可不可以|是不是|有没有"
)
ASKING_END = ("吗", "呢")


@dataclass(frozen=True)
class Scope:
    """What an answer depends on besides the question.

    ``tenant`` is for whom it is made, ``model`` which file or endpoint makes it, ``prompt`` what it is told
    besides the question and how its words are chosen, ``language`` the answer's.
    """

    tenant: str
    model: str
    prompt: str
    language: str


def normalised(question: str) -> str:
    """Return what all forms of ``question`` have in common."""
    text = " ".join(_compatible(question).split())
    return _without_end(_small(text))


def key_of(question: str, scope: Scope) -> bytes:
    """Return the key of ``question``, which is ``normalised`` already, in ``scope``."""
    parts = (scope.tenant, scope.model, scope.prompt, scope.language, question)
    # No part can hold a NUL that would shift the borders: the message was cleaned, and names have none.
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "replace")).digest()


def _compatible(text: str) -> str:
    if text.isascii():
        return text
    parts = (("".join(run), raised) for raised, run in groupby(text, _is_raised))
    return "".join(part if raised else unicodedata.normalize("NFKC", part) for part, raised in parts)


def _is_raised(sign: str) -> bool:
    return sign > "\x7f" and unicodedata.decomposition(sign).startswith(("<super>", "<sub>", "<fraction>"))


def _small(text: str) -> str:
    if TURKISH.search(text):
        return text
    if text.isupper() and len(WORD.findall(text)) >= SHOUTED_WORDS:
        return text.lower()
    kept = [m.span() for m in CAPITALS.finditer(text) if m[0].lower() in ABBREVIATIONS]
    small, end = [], 0
    for first, last in kept:
        small += [text[end:first].lower(), text[first:last]]
        end = last
    return "".join([*small, text[end:].lower()])


def _without_end(text: str) -> str:
    marks = text
    while marks and not marks.endswith(".."):
        last, before = marks[-1], marks[:-1].rstrip()
        if not before or not (
            last in ".。"
            or (last == "!" and _ends_a_word(before))
            or (last == "?" and (before.endswith("?") or _asks(before)))
        ):
            break
        marks = before
    # The mark itself stays for what is no question without it; its white space went.
    return f"{marks[:-1].rstrip()}?" if marks.endswith("?") and len(marks) > 1 else marks


def _ends_a_word(text: str) -> bool:
    if text[-1] in "!?。.":
        return True
    return text[-1].isalpha() and (text[-1] > "\u2e7f" or (len(text) > 1 and text[-2].isalpha()))


def _asks(text: str) -> bool:
    return QUESTION.match(text.lower()) is not None or text.endswith(ASKING_END)
