"""The model on the deployed machine: which one it is, what it says, and another one by the playbook."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.machines_verify.machine_access import INFO, on_machine
from tests.machines_verify.site_run import SiteRun, run_site
from tools.controller.cache import ROOT

INVENTORY = Path(os.environ["DEMO_INFO"]).parent / "inventory"


def complete(question: str, **parameters: object) -> dict[str, Any]:
    """Ask the API through the front door and return its whole document.

    Args:
        question: what a user writes.
        parameters: more of the request, such as ``max_tokens``.
    """
    api = INFO["api"]
    answer = httpx.post(
        api["base_url"] + "/chat/completions",
        json={"model": "any", "messages": [{"role": "user", "content": question}], **parameters},
        headers={"Authorization": f"Bearer {api['token']}"},
        verify=ssl.create_default_context(cafile=INFO["ca_file"]),
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def says(question: str, **parameters: object) -> str:
    """Return the answer's text; see ``complete``."""
    return str(complete(question, **parameters)["choices"][0]["message"]["content"])


def answering() -> str:
    """Return the name of the model that answers."""
    return str(complete("Hello", max_tokens=4)["model"])


@contextmanager
def asked_all_the_time() -> Iterator[Counter[str]]:
    """Ask on and on inside this block, by a new connection each time.

    Yields:
        how often which model answered, or what came in its place.
    """
    answers, over = Counter[str](), threading.Event()

    def ask() -> None:
        while not over.wait(0.3):
            try:
                answers[answering()] += 1
            except (AssertionError, httpx.HTTPError) as error:
                answers[repr(error)] += 1

    caller = threading.Thread(target=ask)
    caller.start()
    try:
        yield answers
    finally:
        over.set()
        caller.join()


def current() -> str:
    """Return the file that the link to the current version leads to."""
    return on_machine("basename $(readlink -f /data/ai-models/current.gguf)").strip()


def play_model(**values: str) -> SiteRun:
    """Run ``playbooks/model.yml`` with ``values`` in place of the inventory's."""
    return run_site(INVENTORY, "-e", json.dumps(values), playbook="playbooks/model.yml")


def tiny_model(path: Path, seed: int) -> Path:
    """Make a small model of random weights at ``path`` and return that."""
    maker = [sys.executable, "-m", "tools.tiny_model.make_tiny_model", str(path), "--seed", str(seed)]
    subprocess.run(maker, cwd=ROOT, check=True, capture_output=True)
    return path
