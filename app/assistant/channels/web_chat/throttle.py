"""How often a wrong access code may be tried."""

import ipaddress
import math
import threading
import time
from collections import deque
from collections.abc import Callable

TRIES_PER_ADDRESS = 5
ADDRESS_SECONDS = 15 * 60
TRIES_OVERALL = 100
OVERALL_SECONDS = 60 * 60


class Throttle:
    """Counts tries by address and overall, in this process's memory.

    The overall limit bounds what somebody with many addresses can guess, and how much is remembered here.
    While it is reached nobody new gets in; whoever is in already does not notice.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with no tries; ``clock`` gives seconds."""
        self._clock = clock
        self._tries: deque[tuple[float, str]] = deque()
        self._lock = threading.Lock()

    def take(self, address: str) -> int:
        """Count a try from ``address``; returns 0, or after how many seconds another one is allowed.

        It is counted before the code is compared, so that many at once are no more than the limit.
        """
        with self._lock:
            now, origin = self._clock(), origin_of(address)
            while self._tries and self._tries[0][0] <= now - OVERALL_SECONDS:
                self._tries.popleft()
            mine = [at for at, whose in self._tries if whose == origin and at > now - ADDRESS_SECONDS]
            if len(mine) >= TRIES_PER_ADDRESS:
                return math.ceil(mine[-TRIES_PER_ADDRESS] + ADDRESS_SECONDS - now)
            if len(self._tries) >= TRIES_OVERALL:
                return math.ceil(self._tries[0][0] + OVERALL_SECONDS - now)
            self._tries.append((now, origin))
            return 0

    def forgive(self, address: str) -> None:
        """Forget the tries from ``address``: the last one was right."""
        with self._lock:
            origin = origin_of(address)
            self._tries = deque(one for one in self._tries if one[1] != origin)


def origin_of(address: str) -> str:
    """Return what counts as one origin: an IPv4 address, or the /64 that a provider gives one customer."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
