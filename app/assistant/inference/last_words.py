"""A child process that is given a file llama.cpp may die of: its surroundings, and why it ended."""

import os
import re
import signal
from pathlib import Path

# What llama.cpp and ggml write before they end the process, and what they say of a file they refuse.
_REASON = re.compile(rb"GGML_ASSERT|terminate called|what\(\):|[Ee]rror|[Ff]ailed|missing|abort")


def explain(status: int, said: bytes) -> str:
    """Return in one line why a child that tried a model ended.

    Args:
        status: as in ``subprocess``; negative for a signal.
        said: what it wrote on standard error.
    """
    lines = [line.strip().decode("utf-8", "replace") for line in said.splitlines() if line.strip()]
    if status == 1 and lines:
        return lines[-1]
    reasons = [line for line in lines if _REASON.search(line.encode())]
    text = reasons[-1] if reasons else (lines[-1] if lines else "it said nothing")
    if status in (-signal.SIGKILL, 137):
        return f"the process was killed while it loaded it, most likely for want of memory ({text})"
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    return (
        f"llama.cpp dies of it ({how}: {text}), so the file is damaged or made for another version; compare "
        "its SHA-256 with its publisher's, fetch it again or take another"
    )


def surroundings() -> dict[str, str]:
    """Return an environment in which a child of this Python finds this package, wherever it lies."""
    here = str(Path(__file__).parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
