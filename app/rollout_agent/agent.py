"""One look after the other at what the app says, and what the host has to do about it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from .candidate import Candidate
from .config import Config
from .engine import Engine
from .errors import AgentError
from .promotion import Promotion, answers
from .state import ACTIVE, State, read_state

_LOG = logging.getLogger("rollout_agent")
POLL_SECONDS = 2.0
# Where nothing is to be done, Docker is asked so seldom whether that is still so.
_SETTLED_SECONDS = 300.0


class Agent:
    """Looks and acts; a look can be repeated at any time."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        ready: Callable[[str], bool] = answers,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Work with ``engine``; ``ready`` asks an address, ``sleep`` waits for seconds."""
        self._config = config
        self._promotion = Promotion(config, engine, ready)
        self._candidate = Candidate(config, engine, sleep)
        self._sleep = sleep
        self._settled: tuple[object, float] | None = None
        self._said = ""

    def run(self) -> None:
        """Look every two seconds, for ever."""
        while True:
            self.look()
            self._sleep(POLL_SECONDS)

    def look(self) -> None:
        """Look once; what cannot be done now is said once and tried again at the next look."""
        try:
            self._act()
        except (AgentError, OSError) as error:
            self._settled = None
            if str(error) != self._said:
                _LOG.error("%s; trying again", error)
            self._said = str(error)
        else:
            self._said = ""

    def _act(self) -> None:
        signs = self._signs()
        if self._settled and self._settled[0] == signs and time.monotonic() < self._settled[1]:
            return
        self._settled = None
        state = read_state(self._config.state_file)
        if self._promotion.concerns(state):
            self._promotion.step(state)
        elif state is not None and state.state in ACTIVE:
            self._candidate.tend(state)
        elif self._candidate.clear(state):
            self._settle(signs, state)

    def _settle(self, signs: object, state: State | None) -> None:
        if signs == self._signs():
            self._settled = (signs, time.monotonic() + _SETTLED_SECONDS)

    def _signs(self) -> object:
        """Return what changes when there may be something to do: the state's file, and the tokens."""
        try:
            status = self._config.state_file.lstat()
            written: object = (status.st_ino, status.st_mtime_ns)
        except FileNotFoundError:
            written = None
        return (written, *(path.exists() for path in self._config.tokens))
