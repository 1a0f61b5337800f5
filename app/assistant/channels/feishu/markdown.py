"""Making a model's Markdown harmless for a card.

Source: open.feishu.cn, "Rich text component (JSON 2.0)": CommonMark, HTTP and HTTPS links only, and tags that
do more than show text: ``<at id=all>`` notifies everybody, ``![](key)`` wants an uploaded image, and a card
with an id or a key that does not exist is refused as a whole. Special characters are written as ``&#60;``.
"""

import re

# Not seen, but it takes a tag apart where an entity would be shown as it is written: in code.
GAP = "\u200b"
TAGS = (
    "at|person|a|font|text_tag|number_tag|link|local_datetime|audio|raw|record|img|button|hr|br|chart|"
    "avatar|ud_icon|note|highlight"
)
_TAG = re.compile(rf"<(?=\s*/?\s*(?:{TAGS})\b)", re.IGNORECASE)
_NOTIFYING = re.compile(r"<(?=\s*/?\s*(?:at|person)\b)", re.IGNORECASE)
_FENCE = re.compile(r"( {0,3})(?:(`{3,})([^`]*)|(~{3,})(.*))$")
# A span of code within one line; a backtick after a backslash opens none.
_SPAN = re.compile(r"(?<![\\`])(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_AUTOLINK = re.compile(r"<(https?://[^\s<>]+)>", re.IGNORECASE)
_OTHER_LINK = re.compile(r"\]\((?!https?://)", re.IGNORECASE)
_OTHER_DEFINITION = re.compile(r"^(\s*)\[(?=[^\]]*\]:(?!\s*https?://))", re.IGNORECASE)


def safe_markdown(text: str) -> str:
    """Return ``text`` so that a card shows it and does nothing else."""
    lines = []
    fence = ""
    trusted = False
    for line in text.split("\n"):
        if fence:
            if _closes(line, fence):
                fence, line = "", line.strip()
            lines.append(_in_block(line, trusted=trusted))
            continue
        opening = _FENCE.fullmatch(line)
        if opening is None:
            lines.append(_outside(line))
            continue
        fence = opening.group(2) or opening.group(4)
        # An indented block may belong to a list, whose end ends the block too.
        trusted = not opening.group(1)
        # The platform wants no spaces before and after a block.
        lines.append(_TAG.sub("<" + GAP, line.strip()))
    return "\n".join(lines)


def _closes(line: str, fence: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(fence) and set(bare) == {fence[0]} and len(line) - len(line.lstrip(" ")) <= 3


def _in_block(line: str, *, trusted: bool) -> str:
    return (_NOTIFYING if trusted else _TAG).sub("<" + GAP, line)


def _outside(line: str) -> str:
    pieces = []
    end = 0
    for span in _SPAN.finditer(line):
        pieces.append(_text(line[end : span.start()]))
        code = _TAG.sub("<" + GAP, span.group(0))
        pieces.append(code.replace("](", f"]{GAP}(").replace("![", f"!{GAP}["))
        end = span.end()
    pieces.append(_text(line[end:]))
    return _OTHER_DEFINITION.sub(r"\1&#91;", "".join(pieces))


def _text(text: str) -> str:
    text = _AUTOLINK.sub(r"\1", text)
    kept = "\x00"  # stands for the one tag that is harmless and that models like to use in tables
    text = _BREAK.sub(kept, text.replace(kept, ""))
    text = text.replace("\\<", "<").replace("<", "&#60;").replace(kept, "<br>")
    text = text.replace("![", "&#33;[")
    return _OTHER_LINK.sub("]&#40;", text)


_MARKS = re.compile(
    r"^\s{0,3}(#{1,6} |[-*+] |\d+[.)] |> |```|~~~|\|)|\*\*|`[^`\n]+`|\]\(https?://", re.MULTILINE
)


def has_markup(text: str) -> bool:
    """Whether ``text`` looks like Markdown and not like plain words."""
    return _MARKS.search(text) is not None


def summary(text: str, characters: int = 60) -> str:
    """Return the beginning of ``text`` without markup, for the list of chats."""
    plain = re.sub(r"[`*#>|~_\[\]<]+", " ", re.sub(r"\]\([^)\s]*\)", " ", text))
    return " ".join(plain.split())[:characters]
