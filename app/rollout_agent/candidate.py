"""Care for the candidate's container: started again after a reboot, its end told, removed when it is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from .config import Config
from .engine import Container, Engine
from .errors import EngineRefused
from .state import UNDONE, State

_LOG = logging.getLogger("rollout_agent")
# What was told and did not change the state is told again after so many seconds.
_AGAIN_SECONDS = 30.0
# Docker was asked so often to start it, and refused.
_STARTS = 3
# Exit codes of `docker run` (its manual): it could not be started at all.
_CANNOT_START = 125
_KILLED = 137


class Candidate:
    """The container ``candidate`` of the configuration."""

    def __init__(self, config: Config, engine: Engine, sleep: Callable[[float], None] = time.sleep) -> None:
        """Remember what it has to do with."""
        self._config, self._engine, self._sleep = config, engine, sleep
        self._told: tuple[str, float] = ("", 0.0)
        self._refused = 0

    def tend(self, state: State) -> None:
        """See that it runs while its rollout is active; where it ended by itself, tell the app.

        Raises:
            EngineAway: Docker does not answer.
            EngineRefused: the app's command line did not take what it was told.
        """
        container = self._engine.container(self._config.candidate)
        if container is None:
            self._tell(state, _CANNOT_START, oom_killed=False)
        elif container.running:
            self._refused = 0
            # gunicorn starts its worker again; the conversations in it are lost all the same.
            if container.oom_killed:
                self._tell(state, _KILLED, oom_killed=True)
        elif container.started < self._engine.began():
            self._start(state)
        elif self._ended(container):
            self._tell(state, container.exit_code, oom_killed=container.oom_killed)

    def clear(self, state: State | None) -> bool:
        """Remove it and its token when its rollout has ended; tell whether nothing of it is left.

        A container that was made after that end belongs to a rollout which is about to begin. Where it does
        not begin (its playbook was interrupted), it is removed after ``orphan_seconds``.

        Raises:
            EngineAway: Docker does not answer.
            EngineRefused: it did not remove the container.
        """
        container = self._engine.container(self._config.candidate)
        if container is not None and self._is_young(container.created, state):
            return False
        if container is not None:
            if state is not None and state.state in UNDONE:
                for line in self._engine.last_lines(self._config.candidate):
                    _LOG.info("%s: %s", self._config.candidate, line[:1000])
            _LOG.info("removing the container %s", self._config.candidate)
            self._engine.remove(self._config.candidate)
        return all([self._clear_token(path, state) for path in self._config.tokens])

    def _clear_token(self, path: Path, state: State | None) -> bool:
        try:
            written = path.stat().st_mtime
        except OSError:
            return True
        if self._is_young(written, state):
            return False
        path.unlink(missing_ok=True)
        return True

    def _is_young(self, made: float, state: State | None) -> bool:
        """Tell whether what was made then is of a rollout that is still to begin."""
        ended = state.since if state else 0.0
        return made > ended and time.time() - made < self._config.orphan_seconds

    def _start(self, state: State) -> None:
        _LOG.info("starting %s again, which ended with the host or with Docker", self._config.candidate)
        try:
            self._engine.start(self._config.candidate)
        except EngineRefused as error:
            self._refused += 1
            _LOG.error("%s", error)
            if self._refused >= _STARTS:
                self._tell(state, _CANNOT_START, oom_killed=False)

    def _ended(self, seen: Container) -> bool:
        """Tell whether it ended by itself: a Docker that is being stopped ends its containers first."""
        self._sleep(1.0)
        return self._engine.container(self._config.candidate) == seen

    def _tell(self, state: State, code: int, *, oom_killed: bool) -> None:
        said, at = self._told
        now = time.monotonic()
        if said == state.id and now - at < _AGAIN_SECONDS:
            return
        why = "its memory was used up" if oom_killed else f"exit code {code}"
        _LOG.warning("rollout %s: %s ended: %s", state.id, self._config.candidate, why)
        words = ["rollout", "report", "--exited", str(code)]
        self._engine.assistant(self._config.stable, *words, *(["--oom-killed"] if oom_killed else []))
        self._told = (state.id, now)
