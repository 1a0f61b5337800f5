"""HTTP to an OpenAI-compatible endpoint: one try each, with its limits of time."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx

from assistant.inference.remote.answering import END, Chunk, read_chunk
from assistant.inference.remote.asking import OPTIONAL
from assistant.inference.remote.errors import EndpointError, NotFound, Unavailable, refusal
from assistant.inference.remote.sse import EventReader, EventTooLong

MAX_ERROR_BYTES = 64 * 1024
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Limits:
    """In seconds: until connected, until the answer's first byte, between two pieces, for a probe."""

    connect: float = 5.0
    first_byte: float = 60.0
    between: float = 30.0
    probe: float = 5.0


def base_url(given: str) -> str:
    """Return the address that ``/chat/completions`` is added to: one without a path gets ``/v1``."""
    return given if urlsplit(given).path.strip("/") else f"{given.rstrip('/')}/v1"


class Endpoint:
    """The calls; all on the event loop's thread."""

    def __init__(
        self, url: str, key: str, limits: Limits, connections: int, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """Prepare a client that trusts the system's authorities, those that the operator added among them."""
        self._limits = limits
        self._http = httpx.AsyncClient(
            base_url=base_url(url),
            headers={**headers, **({"Authorization": f"Bearer {key}"} if key else {})},
            verify=ssl.create_default_context(),
            # Reading has limits of its own, in ``_paced``.
            timeout=httpx.Timeout(None, connect=limits.connect, write=limits.between),
            limits=httpx.Limits(max_connections=connections),
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def models(self) -> list[str]:
        """Return the names of the models that it lists; none where it has no list for us.

        Raises:
            EndpointError: it cannot be reached, or refuses the key.
        """
        try:
            async with asyncio.timeout(self._limits.probe):
                response = await self._http.get("models")
        except (httpx.RequestError, TimeoutError) as error:
            raise Unavailable(type(error).__name__) from None
        # 403: OpenAI's keys may be allowed to chat and not to list; 429: it is well, and busy.
        if response.status_code in {403, 404, 405, 429, 501}:
            return []
        if response.status_code != 200:
            found = refusal(response.status_code, response.headers, response.content, frozenset())
            raise found if isinstance(found, EndpointError) else EndpointError(str(found))
        try:
            return [str(entry["id"]) for entry in response.json()["data"]]
        except (ValueError, KeyError, TypeError):
            raise NotFound("what is at /models is no list of models") from None

    async def chunks(self, body: dict[str, Any]) -> AsyncGenerator[Chunk, None]:
        """Ask for a completion and yield its chunks; leaving early closes the connection.

        Raises:
            InferenceError: see ``errors``.
        """
        reader = EventReader()
        try:
            async with aclosing(self._paced(self._bytes(body))) as pieces:
                async for piece in pieces:
                    for data in reader.push(piece):
                        if data.strip() == END:
                            return
                        yield read_chunk(data)
        except httpx.RequestError as error:
            raise Unavailable(type(error).__name__) from None
        except EventTooLong:
            raise EndpointError("an event of the answer has no end") from None

    async def _bytes(self, body: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        async with self._http.stream("POST", "chat/completions", json=body) as response:
            if response.status_code != 200:
                raise refusal(response.status_code, response.headers, await _beginning(response), OPTIONAL)
            kind = response.headers.get("content-type", "")
            if not kind.startswith("text/event-stream"):
                raise NotFound(f"the answer is {kind.partition(';')[0][:64]} and no event stream")
            async for piece in response.aiter_bytes():
                yield piece

    async def _paced(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Yield ``pieces``; each must come within its limit.

        Raises:
            EndpointError: it did not. Not ``Unavailable``: to ask a slow endpoint again at once would double
                its load.
        """
        limit, what = self._limits.first_byte, "the first byte"
        async with aclosing(pieces):
            while True:
                try:
                    async with asyncio.timeout(limit):
                        piece = await anext(pieces)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise EndpointError(f"{what} did not come within {limit:g} s") from None
                yield piece
                limit, what = self._limits.between, "the next piece"


async def _beginning(response: httpx.Response) -> bytes:
    """Return what an error's body begins with."""
    found = b""
    async for piece in response.aiter_bytes():
        found += piece
        if len(found) >= MAX_ERROR_BYTES:
            break
    return found
