"""Runs a program of this folder in Node.js, with the packages of its lock."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from types import TracebackType

from tools.controller.second_opinion import FOLDER


class NodeProgram:
    """A program that listens and says where: one line of JSON. A context manager that ends it."""

    def __init__(self, name: str, modules: Path, *arguments: str) -> None:
        """Start the program and wait for its line.

        Args:
            name: the file in this folder.
            modules: the folder with the installed packages.
            arguments: the program's arguments.

        Raises:
            RuntimeError: it ended or said something else; the text has what it wrote.
        """
        # Its end of file on standard input ends it, so that it never outlives a test run that was killed.
        self._process = subprocess.Popen(
            ["node", str(FOLDER / name), *arguments],
            env={"PATH": os.environ["PATH"], "NODE_PATH": str(modules)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._errors: list[str] = []
        assert self._process.stdout is not None and self._process.stderr is not None
        self._reader = threading.Thread(
            target=self._errors.extend, args=(self._process.stderr,), name=name, daemon=True
        )
        self._reader.start()
        line = self._process.stdout.readline()
        try:
            self.said: dict[str, str] = json.loads(line)
        except ValueError:
            self.stop()
            raise RuntimeError(f"{name} did not start: {line}{''.join(self._errors)}") from None
        # What else it prints is thrown away, or a full pipe would stop it.
        threading.Thread(target=self._process.stdout.read, name=f"{name}-rest", daemon=True).start()

    def stop(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.wait(10)
        self._reader.join(10)

    def __enter__(self) -> NodeProgram:
        """Give the running program."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()
