"""The assistant's own image, and a container of it with the limits that the deployment gives."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.integration.app.process import SECRETS
from tools.controller.cache import BUILD, ROOT, fingerprint
from tools.controller.command import capture, run
from tools.controller.engine import build_environment, docker, docker_command, ensure_engine
from tools.controller.failure import StageFailure
from tools.controller.rootfs import ensure_base_image
from tools.controller.wheels import build_context, ensure_wheelhouse

LOAD_SECONDS = 300.0
_LOG = BUILD / "logs" / "soak-image.log"
# Version 2 has one tree, version 1 one for each controller; both are seen at this place in a container.
# https://docs.kernel.org/admin-guide/cgroup-v2.html, .../cgroup-v1/memory.html
_MEMORY = """
import json, pathlib
one, two = pathlib.Path("/sys/fs/cgroup/memory"), pathlib.Path("/sys/fs/cgroup")
def read(path):
    return path.read_text() if path.exists() else ""
def table(text):
    return {words[0]: int(words[-1]) for words in map(str.split, text.splitlines()) if len(words) > 1}
stat = table(read(two / "memory.stat") or read(one / "memory.stat"))
events = table(read(two / "memory.events") or read(one / "memory.oom_control"))
peak = read(two / "memory.peak") or read(one / "memory.max_usage_in_bytes") or "0"
rss = 0
for status in pathlib.Path("/proc").glob("[0-9]*/status"):
    lines = status.read_text().splitlines() if status.parent.name != "self" else []
    rss += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
print(json.dumps({"peak": int(peak), "anonymous": stat.get("anon", stat.get("total_rss", 0)), "rss": rss,
                  "killed": events.get("oom_kill", 0)}))
"""


@dataclass(frozen=True)
class Memory:
    """Bytes: the cgroup's peak with the page cache, what cannot be dropped, and the processes' resident sum.

    ``killed`` counts processes that were killed for memory.
    """

    peak: int
    anonymous: int
    rss: int
    killed: int


@dataclass(frozen=True)
class Container:
    """A running or ended container."""

    name: str
    url: str

    def logs(self) -> str:
        """Return all that it said."""
        return capture(docker_command("logs", self.name))[1]

    def state(self) -> dict[str, object]:
        """Return Docker's own State with RestartCount beside it."""
        found = json.loads(docker("inspect", self.name))[0]
        return {**found["State"], "RestartCount": found["RestartCount"]}

    def memory(self) -> Memory:
        """Read the cgroup's figures, from inside."""
        said = docker("exec", self.name, "/opt/venv/bin/python", "-c", _MEMORY)
        return Memory(**json.loads(said))

    def await_ready(self) -> float:
        """Wait until it serves and return the seconds that took.

        Raises:
            StageFailure: it ended, or is not ready in time.
        """
        begun = time.monotonic()
        while time.monotonic() < begun + LOAD_SECONDS:
            if not self.state()["Running"]:
                raise StageFailure(f"the container ended:\n{self.logs()[-3000:]}", "see its last lines")
            try:
                if httpx.get(f"{self.url}/readyz", trust_env=False, timeout=5).status_code == 200:
                    return time.monotonic() - begun
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise StageFailure(f"not ready after {LOAD_SECONDS:.0f} s:\n{self.logs()[-3000:]}", "see its log")

    def await_end(self) -> int:
        """Wait until it ends by itself and return its exit status.

        Raises:
            StageFailure: it goes on.
        """
        begun = time.monotonic()
        while time.monotonic() < begun + 60:
            state = self.state()
            if state["Status"] == "exited":
                return int(str(state["ExitCode"]))
            time.sleep(0.2)
        raise StageFailure(f"it still runs after a minute:\n{self.logs()[-3000:]}", "see its log")


def ensure_image() -> str:
    """Build the assistant's image from ``app/`` as the deployment does; Docker's cache makes it short.

    Raises:
        StageFailure: no Docker engine, or a step failed.
    """
    ensure_engine()
    base, _ = ensure_base_image()
    house = ensure_wheelhouse(base)
    image = f"ai-assistant-soak:{fingerprint(str(ROOT))}"
    with tempfile.TemporaryDirectory() as folder:
        context = build_context(Path(folder) / "app", house)
        arguments = ["build", "--network", "host", "--build-arg", f"BASE_IMAGE={base}", "--tag", image]
        run(
            docker_command(*arguments, str(context)),
            log=_LOG,
            env=build_environment(),
            what="building the assistant's image",
            remedy=f"see {_LOG}",
        )
    return image


@contextmanager
def started(image: str, model: Path, memory: str, settings: dict[str, str]) -> Iterator[Container]:
    """Run the image with 2 CPUs and ``memory``, without swap, and remove it at the end.

    The flags are those of roles/assistant/tasks/service.yml, but for the restart policy: a container that was
    killed must stay so.
    """
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        secrets = Path(folder)
        secrets.chmod(0o755)
        for key, value in SECRETS.items():
            (secrets / key).write_text(value + "\n")
        arguments = ["run", "--detach", "--cpus=2", f"--memory={memory}", f"--memory-swap={memory}"]
        arguments += ["--publish", "127.0.0.1::8000", "--read-only", "--cap-drop=ALL"]
        arguments += ["--security-opt=no-new-privileges:true", "--pids-limit=512"]
        arguments += ["--tmpfs=/tmp:rw,noexec,nosuid,nodev,mode=1777,size=64m"]
        arguments += ["--volume=/var/lib/ai-assistant", f"--volume={secrets}:/run/secrets:ro"]
        arguments += [f"--volume={model.parent}:/models:ro", f"--env=MODEL_PATH=/models/{model.name}"]
        arguments += [f"--env={name}={value}" for name, value in settings.items()]
        name = docker(*arguments, image)
        try:
            port = docker("port", name, "8000/tcp").splitlines()[0] if _runs(name) else ""
            yield Container(name, f"http://{port}")
        finally:
            docker("rm", "--force", "--volumes", name)


def _runs(name: str) -> bool:
    return docker("inspect", "--format", "{{.State.Running}}", name) == "true"
