"""Try a model file in a process of its own: ``python -m assistant.inference.trial FILE``.

llama.cpp ends the whole process (GGML_ASSERT, SIGSEGV) on some files whose header reads well. Here that ends
a child, and what it said becomes one line. The role ``model`` tries every new version like this, in the
assistant's own image, before it makes it the current one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from assistant.inference.backend import InferenceError, Options
from assistant.inference.embedded import EmbeddedBackend, LoadedModel
from assistant.inference.gguf import read_header
from assistant.inference.gguf_reader import GgufError
from assistant.inference.last_words import explain, surroundings
from assistant.messages import Turn

# A conversation and an answer just long enough to use every part of the model.
CONTEXT_TOKENS = 512
ANSWER_TOKENS = 8
SECONDS = 600
QUESTION = (Turn("system", "You are a helpful assistant."), Turn("user", "Hello, 你好!"))


class TrialError(ValueError):
    """The file cannot be served; the text is one line with the reason."""


def answer(path: Path, *, repack: str = "off", threads: int = 0, seconds: float = SECONDS) -> int:
    """Load ``path`` in this process as the service does, and have it answer one question.

    Args:
        path: the GGUF file.
        repack: see ``loading.plan``; ``off`` takes the least memory.
        threads: how many decode; 0 takes all cores.
        seconds: for loading and the answer together.

    Returns:
        how many tokens the answer has.

    Raises:
        TrialError: it cannot be loaded, or does not answer.
    """
    failed: list[Exception] = []

    def load() -> LoadedModel:
        from assistant.inference.model import Model

        return Model(
            path,
            context_tokens=CONTEXT_TOKENS,
            threads=threads,
            parallel=1,
            system=QUESTION[:1],
            repack=repack,
        )

    backend = EmbeddedBackend(load, QUESTION[:1], failed.append)
    backend.start()
    try:
        options = Options(max_tokens=ANSWER_TOKENS, temperature=0.7, deadline_seconds=seconds, seed=1)
        return backend.generate(QUESTION, options).completion_tokens
    except InferenceError as error:
        reason = failed[0] if failed else error
        if isinstance(reason, ValueError):
            raise TrialError(str(reason)) from None
        raise TrialError(f"it does not answer: {type(reason).__name__}: {reason}") from None
    finally:
        backend.stop()


def attempt(path: Path, seconds: float = SECONDS) -> None:
    """Do ``answer`` in a child process; whatever that dies of, this process lives.

    Args:
        path: the GGUF file.
        seconds: after which the child is ended.

    Raises:
        TrialError: the header is bad, or the child refused the file, died or took too long.
    """
    try:
        read_header(path)
    except GgufError as error:
        raise TrialError(str(error)) from None
    command = [sys.executable, "-m", "assistant.inference.trial", "--here", str(path)]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command line
            command, capture_output=True, timeout=seconds, check=False, env=surroundings()
        )
    except subprocess.TimeoutExpired:
        raise TrialError(f"loading it and one short answer took longer than {seconds:.0f} seconds") from None
    if done.returncode:
        raise TrialError(explain(done.returncode, done.stderr))


def main(arguments: list[str] | None = None) -> int:
    """Try a file; 0, or 1 with the reason in one line."""
    parser = argparse.ArgumentParser(description="Load a model file and have it answer, in a child process.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--here", action="store_true", help="in this process, which a bad file may end")
    options = parser.parse_args(arguments)
    try:
        if options.here:
            count = answer(options.file)
            # Nothing after the answer matters, and unloading takes time.
            sys.stdout.write(f"{options.file}: answered with {count} tokens\n")
            sys.stdout.flush()
            os._exit(0)
        attempt(options.file)
    except TrialError as error:
        print(error if options.here else f"{options.file}: {error}", file=sys.stderr)
        return 1
    print(f"{options.file}: can be loaded and answers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
