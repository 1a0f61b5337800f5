"""What the proxy in front says about a request, and nobody else."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

from assistant import correlation

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Networks = Iterable[IPv4Network | IPv6Network]
SAID_BY_PROXY = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_REQUEST_ID",
)


class FromProxy:
    """WSGI: drops what others than the proxy claim, and gives each request its id.

    The id is the proxy's; a request that brings none, or something else, gets one here. The answer carries
    it as ``X-Request-ID``, and it is the ``trace.id`` of what this thread logs until its next request.
    """

    def __init__(self, app: "WSGIApplication", networks: Networks) -> None:
        """Stand before ``app``; the proxy's address is in one of ``networks``."""
        self._app, self._networks = app, tuple(networks)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request."""
        if not self._trusts(environ.get("REMOTE_ADDR", "")):
            for name in SAID_BY_PROXY:
                environ.pop(name, None)
        given = environ.get("HTTP_X_REQUEST_ID", "")
        trace_id = given if correlation.is_id(given) else correlation.new_id()
        correlation.begin(trace_id)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, (correlation.HEADER, trace_id)], *more)

        return self._app(environ, start)

    def _trusts(self, address: str) -> bool:
        try:
            peer = ip_address(address)
        except ValueError:
            return False
        # A socket for both protocols names IPv4 peers in IPv6's form.
        peer = getattr(peer, "ipv4_mapped", None) or peer
        return any(peer in network for network in self._networks)
