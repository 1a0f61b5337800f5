"""A promotion: the links swapped, the stable container on the candidate's file, and back where that fails.

Each step looks at what is there and does what is missing, so that the agent may be killed anywhere: what a
promotion was about to do is in its record, written before anything is changed.
"""

from __future__ import annotations

import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .config import Config
from .engine import Container, Engine
from .errors import EngineRefused
from .links import CURRENT, PREVIOUS, Folder, is_version, write_whole
from .state import PROMOTED, PROMOTING, State

_LOG = logging.getLogger("rollout_agent")
# What was told and did not change the state is told again after so many seconds.
_AGAIN_SECONDS = 30.0
# A container that Docker had to start again so often since it was told to load does not come up.
_RESTARTS = 2
# How "assistant reload" ends where the file cannot be served; it goes on with the one that it has.
_CANNOT_BE_SERVED = 3


@dataclass(frozen=True)
class Record:
    """What the rollout ``id`` is about to change, and what was there before.

    ``over`` and ``before`` are the versions that the links to the current and the previous one led to.
    ``back``: it is being undone, for ``reason``. ``told``: the app was told how it ended, and its state file
    is still to say so. ``loaded``: when the stable container was last told to load, in seconds since 1970;
    ``restarts``: how often Docker had started it again until then.
    """

    id: str
    candidate: str
    over: str
    before: str
    back: bool = False
    reason: str = ""
    told: bool = False
    loaded: float = 0.0
    restarts: int = 0


class Records:
    """The file with the one promotion that is under way."""

    def __init__(self, folder: Path) -> None:
        """Remember where it is."""
        self._path = folder / "promotion.json"

    def read(self) -> Record | None:
        """Return it; None where no promotion is under way."""
        try:
            return Record(**json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            _LOG.error("%s is unusable and was set aside: %s", self._path, error)
            self._path.rename(self._path.with_suffix(".unusable"))
            return None

    def write(self, record: Record) -> Record:
        """Keep it, before what it says is done."""
        write_whole(self._path, asdict(record), 0o600)
        return record

    def drop(self) -> None:
        """Forget it."""
        self._path.unlink(missing_ok=True)


def answers(url: str) -> bool:
    """Tell whether ``url`` answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the configuration's own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


class Promotion:
    """Takes the promotion that is under way one step further at each look."""

    def __init__(self, config: Config, engine: Engine, ready: Callable[[str], bool] = answers) -> None:
        """Use ``ready`` to ask whether the stable container serves."""
        self._config, self._engine, self._ready = config, engine, ready
        self._records = Records(config.records)
        self._folder = Folder(config.models)
        self._told_at = 0.0

    def concerns(self, state: State | None) -> bool:
        """Tell whether there is a promotion to begin, to go on with or to undo."""
        return (state is not None and state.state == PROMOTING) or self._records.read() is not None

    def step(self, state: State | None) -> None:
        """Do what can be done now; later looks do the rest.

        Raises:
            EngineAway: Docker does not answer.
            EngineRefused: it or the app's command line did not do what it was asked for.
        """
        record = self._records.read()
        wanted = state is not None and state.state == PROMOTING
        if record is None:
            if state is None:
                return
            problem = self._problem(state)
            if problem:
                self._report(problem)
                return
            record = self._begin(state)
        same = state is not None and state.id == record.id
        if record.told and same and wanted:
            if time.monotonic() - self._told_at < _AGAIN_SECONDS:
                return
        elif record.told or (same and state is not None and state.state == PROMOTED):
            self._note(record)
            self._records.drop()
            return
        if not record.back and not (same and wanted):
            record = self._turn_back(record, "it was ended while it was being promoted")
        if record.back:
            self._undo(record, tell=same and wanted)
        else:
            self._do(record)

    def _problem(self, state: State) -> str:
        """Return why this candidate cannot take the current one's place; empty where it can."""
        name = state.candidate
        if not is_version(name):
            return f"{name!r} is no name of a model file"
        if not self._folder.has(name):
            return f"{self._config.models / name} is not there any more"
        container = self._engine.container(self._config.candidate)
        # What was judged for hours is what was in that container.
        if self._folder.target(CURRENT) != name and (container is None or container.model != name):
            return f"the container {self._config.candidate} does not serve {name}"
        return ""

    def _begin(self, state: State) -> Record:
        over = self._folder.target(CURRENT)
        _LOG.info("rollout %s: %s is to take the place of %s", state.id, state.candidate, over or "nothing")
        before = self._folder.target(PREVIOUS)
        return self._records.write(Record(state.id, state.candidate, over, before))

    def _turn_back(self, record: Record, reason: str) -> Record:
        _LOG.warning("rollout %s: going back to %s: %s", record.id, record.over, reason)
        return self._records.write(replace(record, back=True, reason=reason))

    def _do(self, record: Record) -> None:
        if record.over != record.candidate:
            # The previous one first: cut off in between, the service still has its version.
            self._folder.point(PREVIOUS, record.over)
            self._folder.point(CURRENT, record.candidate)
        record, container = self._loaded(record)
        if container is None:
            return
        if self._ready(self._config.ready_url):
            self._engine.assistant(self._config.stable, "rollout", "confirm")
            self._note(record)
            _LOG.info("rollout %s: %s answers everybody now", record.id, record.candidate)
            self._end(record)
        elif container.restarts - record.restarts >= _RESTARTS:
            self._turn_back(record, f"{record.candidate} ended the stable container again and again")
        elif time.time() - max(container.started, record.loaded) > self._config.ready_seconds:
            seconds = self._config.ready_seconds
            self._turn_back(record, f"{record.candidate} was not ready within {seconds:.0f} s")

    def _note(self, record: Record) -> None:
        """Note it once the app says so: what is gone back from leaves the note as it was."""
        if not record.back and record.over != record.candidate:
            self._folder.note_promotion(record.candidate, record.over, time.time())

    def _undo(self, record: Record, tell: bool) -> None:
        ours = self._folder.target(CURRENT) in ("", record.candidate, record.over)
        if ours and record.over and record.over != record.candidate:
            self._folder.point(CURRENT, record.over)
            self._folder.point(PREVIOUS, record.before)
        record, container = self._loaded(record)
        if container is None or not self._ready(self._config.ready_url):
            return
        if tell:
            self._report(record.reason)
        _LOG.info("rollout %s: %s answers again", record.id, record.over)
        self._end(record)

    def _end(self, record: Record) -> None:
        self._records.write(replace(record, told=True))
        self._told_at = time.monotonic()

    def _loaded(self, record: Record) -> tuple[Record, Container | None]:
        """Return the stable container, told to load since the links were changed; None where it is not."""
        container = self._engine.container(self._config.stable)
        if container is None:
            _LOG.error("there is no container %s; site.yml makes it again", self._config.stable)
        elif max(container.started, record.loaded) <= self._folder.pointed():
            return self._load(record)
        return record, container

    def _load(self, record: Record) -> tuple[Record, Container | None]:
        now, stable = time.time(), self._config.stable
        _LOG.info("%s is to load %s", stable, self._folder.target(CURRENT))
        try:
            # Its listening socket stays open. Asked twice it does it once: what is young enough stays.
            self._engine.assistant(stable, "reload")
        except EngineRefused as error:
            if error.status == _CANNOT_BE_SERVED and not record.back:
                return self._turn_back(record, str(error)), None
            _LOG.warning("%s cannot load it as it runs (%s) and is restarted", stable, error)
            self._engine.restart(stable)
        container = self._engine.container(stable)
        restarts = container.restarts if container else 0
        return self._records.write(replace(record, loaded=now, restarts=restarts)), container

    def _report(self, reason: str) -> None:
        _LOG.error("the promotion failed: %s", reason)
        try:
            self._engine.assistant(self._config.stable, "rollout", "report", "--promotion-failed", reason)
        except EngineRefused as error:
            raise EngineRefused(f"{error} (to be told: {reason})") from None
