"""What tests of real parts share: the tiny model and a PostgreSQL server."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.controller.model import ensure_tiny_model


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The tiny model."""
    return ensure_tiny_model()


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    pytest.fail("PostgreSQL's server programs are missing: apt-get install postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server on a Unix socket; gives the directory of the socket."""
    programs = _postgres_programs()
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(directory, user)
    data = directory / "data"
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    initialise = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run(
        [*initialise, "--no-sync"], check=True, user=user, cwd="/", env=environment, stdout=subprocess.DEVNULL
    )
    log = (directory / "log").open("wb")
    server = subprocess.Popen(
        [str(programs / "postgres"), "-D", str(data), "-k", str(directory), "-c", "listen_addresses="],
        user=user,
        cwd="/",
        env=environment,
        stdout=log,
        stderr=log,
    )
    try:
        waiting = [str(programs / "pg_isready"), "-h", str(directory), "-U", "postgres", "-q"]
        for _ in range(200):
            if subprocess.run(waiting, check=False).returncode == 0:
                break
            if server.poll() is not None:
                pytest.fail((directory / "log").read_text())
            time.sleep(0.1)
        else:
            pytest.fail("PostgreSQL did not start:\n" + (directory / "log").read_text())
        yield str(directory)
    finally:
        server.terminate()
        server.wait(30)
        log.close()
        shutil.rmtree(directory, ignore_errors=True)
