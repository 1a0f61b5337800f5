"""A PostgreSQL server of its own for tests, on a Unix socket."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


class PostgresError(Exception):
    """The server is missing or did not start; the text says what to do, or is the server's own log."""


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    raise PostgresError("PostgreSQL's server programs are missing: apt-get install postgresql")


@contextmanager
def server() -> Iterator[str]:
    """Run a server; gives the directory of its socket.

    Raises:
        PostgresError: it did not start.
    """
    programs = _programs()
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
    process = subprocess.Popen(
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
            if process.poll() is not None:
                raise PostgresError((directory / "log").read_text())
            time.sleep(0.1)
        else:
            raise PostgresError("PostgreSQL did not start:\n" + (directory / "log").read_text())
        yield str(directory)
    finally:
        process.terminate()
        process.wait(30)
        log.close()
        shutil.rmtree(directory, ignore_errors=True)


def new_database(socket_directory: str) -> str:
    """Create an empty database on the server of ``server`` and return its SQLAlchemy address."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(
        f"host={socket_directory} user=postgres dbname=postgres", autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"postgresql+psycopg://postgres@/{name}?host={socket_directory}"
