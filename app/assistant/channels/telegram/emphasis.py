"""Where ``*`` begins and ends emphasis, also in Chinese.

CommonMark decides by the characters around the asterisks, and takes for granted that words are set apart
by blanks: in ``**注意：**后面`` the second pair ends nothing, because a punctuation mark stands before it
and a letter behind. Models write Chinese so all the time. Beside a Chinese, Japanese or Korean character
punctuation therefore counts as a letter here; the rule that is relaxed is
https://spec.commonmark.org/0.31.2/#left-flanking-delimiter-run.
"""

import unicodedata

from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter

_FIRST_CJK = 0x2E80
_ALSO_CJK = frozenset("“”‘’…—·")


def _is_cjk(character: str) -> bool:
    return ord(character) >= _FIRST_CJK or character in _ALSO_CJK


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _flanks(inside: str, outside: str) -> bool:
    """Whether asterisks between the two may enclose what begins or ends with ``inside``."""
    if inside.isspace():
        return False
    return (
        not _is_mark(inside) or outside.isspace() or _is_mark(outside) or _is_cjk(inside) or _is_cjk(outside)
    )


def tokenize(state: StateInline, silent: bool) -> bool:
    """Put the run of ``*`` or ``_`` at ``state.pos`` on the list of delimiters; a rule of markdown-it."""
    marker = state.src[state.pos]
    if silent or marker not in "*_":
        return False
    scanned = state.scanDelims(state.pos, marker == "*")
    opens, closes = scanned.can_open, scanned.can_close
    if marker == "*":
        end = state.pos + scanned.length
        before = state.src[state.pos - 1] if state.pos else " "
        behind = state.src[end] if end < state.posMax else " "
        opens, closes = _flanks(behind, before), _flanks(before, behind)
    for _ in range(scanned.length):
        token = state.push("text", "", 0)
        token.content = marker
        state.delimiters.append(
            Delimiter(
                marker=ord(marker),
                length=scanned.length,
                token=len(state.tokens) - 1,
                end=-1,
                open=opens,
                close=closes,
            )
        )
    state.pos += scanned.length
    return True
