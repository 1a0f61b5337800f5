"""Masking: what identifies a person or opens a door is taken out of a text before an operator is shown it.

The text keeps its sense: each finding becomes its kind in brackets. What only looks alike (prices, dates,
versions, order numbers, ISBNs) stays. docs/logs.md has the rules and their limits.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from functools import cache
from itertools import pairwise

from phonenumbers import Leniency, PhoneNumberMatcher
from stdnum import isbn, luhn
from stdnum.cn import ric

PHONE, EMAIL, ID_CARD, BANK_CARD, SECRET = "[phone]", "[email]", "[id-card]", "[bank-card]", "[secret]"
# How far beyond its limit a text is looked at: a number or key that is cut in two would not be known.
MARGIN = 300

# Where a finding begins, where it ends, and what it is.
Span = tuple[int, int, str]

# Signs that people put between the digits of one number.
_GAP = r"[ .\-/·_]"
_DASHES = dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-")
_BLANKS = dict.fromkeys("\t\u00a0\u00ad\u2007\u2009\u200b\u200c\u200d\u202f\u2060\u3000\ufeff", " ")

_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_IN_URL = re.compile(r"(?<=://)[^\s:/@]{0,64}:[^\s/@]{1,128}(?=@)")
_EMAIL = re.compile(r"[A-Za-z0-9._%+\-]{1,64}@(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z])")
# RFC 7519: the first part of a JWT is base64url of '{"'.
_JWT = re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*){1,4}")
# A bot's number, a colon, 35 characters (core.telegram.org/bots/features#botfather).
_BOT = re.compile(r"(?<![0-9])[0-9]{6,12}:[A-Za-z0-9_\-]{30,}")
_BEARER = re.compile(r"(?i:\b(?:bearer|basic)\s+)(?=\S*[0-9=])[A-Za-z0-9._~+/=\-]{8,}")
_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:sk|pk|rk|hf|gh[opsu]|glpat|xox[abprs]|github_pat|cli)[_\-](?=[A-Za-z_\-]*[0-9])"
    r"[A-Za-z0-9_\-]{12,}|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])|AIza[A-Za-z0-9_\-]{30,}|LTAI[A-Za-z0-9]{12,})"
)
# A word that says what follows it, alone or at the end of a name (DB_PASSWORD, x-api-key).
_NAMED = re.compile(
    r"(?i:password|passwd|passphrase|pwd|secret|token|api[ _\-]?key|access[ _\-]?key|private[ _\-]?key)"
    r"[\"']?(?:\s*[:=]\s*|\s+is\s+(?=\S*[0-9]))[\"']?(?P<latin>[^\s\"',;，。；]{4,})"
    r"|(?:密码|口令|密钥|令牌)(?:是|为|\s|[:=])+(?P<chinese>[!-+\-.-:<-~]{4,})"
)
_SIGNED = (_PEM, _IN_URL, _JWT, _BOT, _BEARER, _PREFIXED)
_HEX = re.compile(r"(?<![A-Za-z0-9])[0-9a-fA-F]{32,}(?![A-Za-z0-9])")
_RANDOM = re.compile(r"(?<![A-Za-z0-9+/_\-])[A-Za-z0-9+/_\-]{24,}={0,2}")

_ID_18 = re.compile(rf"(?<![0-9A-Za-z])[1-8](?:{_GAP}?[0-9]){{16}}{_GAP}?[0-9Xx](?![0-9A-Za-z])")
_ID_15 = re.compile(rf"(?<![0-9A-Za-z])[1-8](?:{_GAP}?[0-9]){{14}}(?![0-9A-Za-z])")
# The first two digits of a resident's number: the province (GB/T 2260).
_PROVINCE = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_CARD = re.compile(r"(?<![0-9A-Za-z.])[2-69](?:[ \-]{0,2}[0-9]){12,18}(?![0-9A-Za-z]|\.[0-9])")
# Who issues cards with which numbers and how many digits (ISO/IEC 7812): Visa; UnionPay, Discover, Maestro;
# Mastercard; American Express; Diners; JCB; Chinese banks of earlier years.
_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|6\d{15,18}|5[0-9]\d{14,17}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12}|35\d{14}"
    r"|9\d{15,18}"
)
# A mobile number of China, with gaps at any place: 11 digits, 13 to 19 first.
_MOBILE = re.compile(
    rf"(?<![0-9A-Za-z.,])(?:(?:\+|00)?86{_GAP}{{0,2}})?1{_GAP}?[3-9](?:{_GAP}{{0,2}}[0-9]){{9}}"
    r"(?![0-9A-Za-z%]|[.,][0-9])"
)
_SPELLED_DIGIT = "[〇零一二三四五六七八九]"
_SPELLED = re.compile(rf"(?<!{_SPELLED_DIGIT})一[三四五六七八九]{_SPELLED_DIGIT}{{9}}(?!{_SPELLED_DIGIT})")
# libphonenumber reads versions and decimal fractions as groups of a number, too.
_NO_PHONE = re.compile(r"[0-9]+(?:\.[0-9]+){3,}|[0-9]+\.[0-9]+|0?[0-9]{1,2}[:.][0-9]{2}.*")


def mask(text: str, limit: int = 0) -> str:
    """Return ``text`` with ``[phone]``, ``[email]``, ``[id-card]``, ``[bank-card]`` and ``[secret]`` instead.

    Args:
        text: in any language; digits may be full-width, and numbers may have gaps.
        limit: at most so many characters of ``text`` are kept, 0 for all.
    """
    seen = text[: limit + MARGIN] if limit else text
    plain = _plain(seen)
    pieces, at, end = [], 0, min(len(seen), limit) if limit else len(seen)
    for start, stop, kind in _chosen(plain):
        if start >= end:
            break
        pieces += [seen[at:start], kind]
        at = stop
    pieces.append(seen[at:end])
    if len(text) > end:
        pieces.append("…")
    return "".join(pieces)


def _plain(text: str) -> str:
    """Return ``text`` with ASCII digits, letters and dashes, each at the place of the original."""
    return text if text.isascii() else "".join(map(_ascii, text))


@cache
def _ascii(character: str) -> str:
    if "\uff01" <= character <= "\uff5e":
        character = chr(ord(character) - 0xFEE0)
    elif character.isdecimal():
        return str(unicodedata.decimal(character))
    return _DASHES.get(character) or _BLANKS.get(character) or character


def _chosen(plain: str) -> list[Span]:
    """Return the findings, none over another: what was looked for first wins."""
    taken: list[Span] = []
    for find in (_secrets, _emails, _keys, _id_cards, _bank_cards, _phones):
        taken += [
            span
            for span in find(plain)
            if not any(span[0] < stop and start < span[1] for start, stop, _ in taken)
        ]
    return sorted(taken)


def _secrets(plain: str) -> Iterator[Span]:
    reach = 0
    found = [m.span() for form in _SIGNED for m in form.finditer(plain)]
    found += [m.span(m.lastgroup or 0) for m in _NAMED.finditer(plain)]
    for start, stop in sorted(found, key=lambda span: (span[0], -span[1])):
        if start >= reach:
            yield start, stop, SECRET
            reach = stop


def _emails(plain: str) -> Iterator[Span]:
    yield from ((m.start(), m.end(), EMAIL) for m in _EMAIL.finditer(plain))


def _keys(plain: str) -> Iterator[Span]:
    """Find what has no sign of its own but is as random as a key."""
    for found in _HEX.finditer(plain):
        if not found[0].isdigit() and len(set(found[0].lower())) > 4:
            yield found.start(), found.end(), SECRET
    for found in _RANDOM.finditer(plain):
        if _is_random(found[0]) and not _HEX.fullmatch(found[0]):
            yield found.start(), found.end(), SECRET


def _is_random(text: str) -> bool:
    """Whether letters of both cases and digits change places as often as chance makes them."""
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" if c.islower() else "" for c in text]
    changes = sum(1 for one, two in pairwise(kinds) if one and two and one != two)
    return {"d", "u", "l"} <= set(kinds) and changes >= len(text) * 0.3


def _digits(found: re.Match[str]) -> str:
    return "".join(c for c in found[0].upper() if c.isdigit() or c == "X")


def _id_cards(plain: str) -> Iterator[Span]:
    """Residents' numbers (GB 11643-1999): province, date of birth, and of 18 digits the check digit."""
    for form, century in ((_ID_18, ""), (_ID_15, "19")):
        for found in form.finditer(plain):
            number = _digits(found)
            born = century + (number[6:12] if century else number[6:14])
            if not (_PROVINCE.match(number) and _is_date(born)):
                continue
            if century or ric.calc_check_digit(number) == number[-1]:
                yield found.start(), found.end(), ID_CARD


def _is_date(digits: str) -> bool:
    try:
        return 1900 <= date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year <= 2100
    except ValueError:
        return False


def _bank_cards(plain: str) -> Iterator[Span]:
    for found in _CARD.finditer(plain):
        number = _digits(found)
        if _ISSUED.fullmatch(number) and len(set(number)) > 1 and luhn.is_valid(number):
            yield found.start(), found.end(), BANK_CARD


def _phones(plain: str) -> Iterator[Span]:
    """Mobile numbers of China in any form, and what libphonenumber finds valid there or anywhere with a +."""
    found = [(m.start(), m.end()) for form in (_MOBILE, _SPELLED) for m in form.finditer(plain)]
    for start, stop in found:
        yield start, stop, PHONE
    if sum(c.isdigit() for c in plain) < 7:
        return
    for match in PhoneNumberMatcher(plain, "CN", leniency=Leniency.VALID, max_tries=1000):
        raw = match.raw_string
        overlaps = any(match.start < stop and start < match.end for start, stop in found)
        if not overlaps and not _NO_PHONE.fullmatch(raw) and not isbn.is_valid(raw):
            yield match.start, match.end, PHONE
