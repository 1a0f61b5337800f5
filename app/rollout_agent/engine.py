"""Docker, by its own command: a daemon of another version takes the same words."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import EngineAway, EngineRefused
from .oom import oom_kills
from .times import seconds_of

# dockerd writes its process id there when it starts (its option --pidfile); /run is empty after a boot.
PID_FILE = Path("/run/docker.pid")
# A container has 30 seconds to end (role assistant, stop_timeout); pulling nothing, all else is quick.
_SECONDS = 120.0
# In the app's JSON lines (docs/logs.md).
_EVERYDAY = '"log.level":"info"'


@dataclass(frozen=True)
class Container:
    """What Docker says of a container; moments in seconds since 1970.

    ``oom_killed``: the kernel ended a process in it for its memory limit, perhaps one of several.
    ``restarts`` counts Docker's own, since somebody last started it. ``model`` is the file that it serves.
    """

    running: bool
    exit_code: int
    oom_killed: bool
    created: float
    started: float
    restarts: int
    model: str


def _container(text: str) -> Container:
    values = json.loads(text)[0]
    state = values["State"]
    environment = dict(entry.partition("=")[::2] for entry in values["Config"].get("Env") or [])
    return Container(
        running=bool(state["Running"]) and not state.get("Restarting"),
        exit_code=int(state["ExitCode"]),
        oom_killed=bool(state["OOMKilled"]) or (bool(state["Running"]) and oom_kills(state["Pid"]) > 0),
        created=seconds_of(values["Created"]),
        started=seconds_of(state["StartedAt"]),
        restarts=int(values["RestartCount"]),
        model=os.path.basename(environment.get("MODEL_PATH", "")),
    )


class Engine:
    """The Docker daemon of this host."""

    def __init__(self, program: str = "docker", pid_file: Path = PID_FILE) -> None:
        """Use the command ``program``."""
        self._program, self._pid_file = program, pid_file

    def began(self) -> float:
        """Return when the daemon started; 0 where that cannot be known.

        What it started before has not ended by itself: a daemon takes its containers along.
        """
        try:
            return self._pid_file.stat().st_mtime
        except OSError:
            return 0.0

    def container(self, name: str) -> Container | None:
        """Describe a container; None where there is none.

        Raises:
            EngineAway: Docker does not answer, or not what it usually does.
        """
        done = self._run("inspect", "--type", "container", name)
        if done.returncode == 0:
            try:
                return _container(done.stdout)
            except (ValueError, KeyError, IndexError, TypeError) as error:
                raise EngineAway(f"docker inspect {name}: {error!r}") from None
        if "no such" in done.stderr.lower():
            return None
        raise EngineAway(done.stderr.strip()[-400:] or f"docker inspect ended with {done.returncode}")

    def start(self, name: str) -> None:
        """Start a container that is there.

        Raises:
            EngineRefused: Docker says why not.
            EngineAway: it does not answer.
        """
        self._do("start", name)

    def restart(self, name: str) -> None:
        """Stop and start a container.

        Raises:
            EngineRefused: Docker says why not.
            EngineAway: it does not answer.
        """
        self._do("restart", name)

    def remove(self, name: str) -> None:
        """Remove a container, running or not; it may be gone already.

        Raises:
            EngineRefused: Docker says why not.
            EngineAway: it does not answer.
        """
        self._do("rm", "--force", "--volumes", name)

    def last_lines(self, name: str, count: int = 20) -> list[str]:
        """Return what a container wrote last, but for the app's everyday lines; nothing where that fails."""
        try:
            done = self._run("logs", "--tail", "400", name)
        except EngineAway:
            return []
        lines = (done.stdout + done.stderr).splitlines() if done.returncode == 0 else []
        return [line for line in lines if _EVERYDAY not in line][-count:]

    def assistant(self, name: str, *arguments: str) -> None:
        """Run the app's command line in the container ``name``.

        Raises:
            EngineRefused: it ended with another status than 0; the text is what it said last.
            EngineAway: Docker does not answer.
        """
        self._do("exec", name, "python3", "-m", "assistant", *arguments)

    def _do(self, *words: str) -> None:
        done = self._run(*words)
        gone = words[0] == "rm" and "no such container" in done.stderr.lower()
        if done.returncode == 0 or gone:
            return
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        said = lines[-1] if lines else f"it ended with {done.returncode}"
        raise EngineRefused(f"docker {' '.join(words[:2])}: {said}", done.returncode)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        try:
            done = subprocess.run(  # noqa: S603 - words of this program, without a shell
                [self._program, *words],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineAway(f"docker {words[0]}: {error}") from None
        if done.returncode and "cannot connect to the docker daemon" in done.stderr.lower():
            raise EngineAway(done.stderr.strip())
        return done
