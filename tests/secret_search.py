"""Finds secrets in logs: each value as it is, and as programs write it, escaped or encoded."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import IO
from urllib.parse import quote

# Shorter ones occur by chance; eight characters out of 64 do as good as never, in a log of one gigabyte.
SHORTEST = 8
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Finding:
    """A secret that was found; its value is nowhere in here, so that a failing test prints none."""

    secret: str
    form: str
    place: str


def _inside_base64(value: bytes, before: int, alternative: bytes | None) -> bytes:
    """Return what base64 makes of ``value`` wherever ``before`` bytes (modulo 3) stand before it.

    The characters at the two ends hold bits of its neighbours, too, and are left out.
    """
    coded = base64.b64encode(b"\0" * before + value, alternative)
    return coded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]


def _escaped(value: str) -> str:
    return json.dumps(value)[1:-1]


def forms(value: str) -> dict[str, bytes]:
    """Return a secret in the forms in which a log may hold it, by a name for each; equal ones occur once.

    Args:
        value: The secret.

    Raises:
        ValueError: It is so short that it would be found by chance.
    """
    raw = value.encode()
    if len(raw) < SHORTEST:
        raise ValueError(f"a secret has {len(raw)} bytes; {SHORTEST} are needed to tell it from chance")
    found: dict[str, bytes] = {
        "as it is": raw,
        "JSON-escaped": _escaped(value).encode(),
        "JSON-escaped twice": _escaped(_escaped(value)).encode(),
        "JSON-escaped with \\/": _escaped(value).replace("/", "\\/").encode(),
        "URL-encoded": quote(value, safe="").encode(),
        "URL-encoded, lower case": quote(value, safe="").replace("%2F", "%2f").replace("%3D", "%3d").encode(),
        "URL-encoded path": quote(value).encode(),
        "hexadecimal": raw.hex().encode(),
        "hexadecimal, upper case": raw.hex().upper().encode(),
    }
    for before in range(3):
        found[f"base64, {before} before it"] = _inside_base64(raw, before, None)
        found[f"base64 of addresses, {before} before it"] = _inside_base64(raw, before, b"-_")
    different: dict[str, bytes] = {}
    for name, form in found.items():
        if form not in different.values():
            different[name] = form
    return different


class Searcher:
    """Looks for a set of secrets; ``searched`` counts the bytes that it saw, by place."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """Prepare.

        Args:
            secrets: The values by their names.

        Raises:
            ValueError: There are none, or one is too short; the text names it.
        """
        if not secrets:
            raise ValueError("there are no secrets to look for")
        self._forms: list[tuple[str, str, bytes]] = []
        for secret, value in secrets.items():
            try:
                self._forms += [(secret, form, coded) for form, coded in forms(value).items()]
            except ValueError as error:
                raise ValueError(f"{secret}: {error}") from error
        self._overlap = max(len(coded) for _, _, coded in self._forms) - 1
        self.searched: dict[str, int] = {}

    def search(self, place: str, stream: IO[bytes]) -> set[Finding]:
        """Read ``stream`` to its end and return what was found in it.

        Args:
            place: What the stream is, for the finding.
            stream: Any size; it is read piece by piece.
        """
        found: set[Finding] = set()
        kept = b""
        self.searched.setdefault(place, 0)
        while piece := stream.read(_CHUNK):
            self.searched[place] += len(piece)
            window = kept + piece
            found |= {Finding(secret, form, place) for secret, form, coded in self._forms if coded in window}
            kept = window[-self._overlap :]
        return found


def told(findings: Iterable[Finding]) -> str:
    """Return the findings as lines for a person, in a steady order."""
    return "\n".join(sorted(f"{finding.secret} ({finding.form}) in {finding.place}" for finding in findings))
