"""An engine that fails or dawdles on demand: a model server beside the machine, which the assistant asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.emulators.model_server import ModelServer, Trouble, make_model_app
from tests.emulators.server import Server
from tests.machines_verify.cutting_server import controller_address
from tests.machines_verify.machine_access import on_machine
from tests.machines_verify.served_model import INVENTORY
from tests.machines_verify.site_run import run_site

PLAYBOOK = "playbooks/assistant.yml"
# After each of an answer's six pieces: two minutes in all, less than the 30 s between two that are allowed.
SLOW_SECONDS = 20.0
_REFUSED = Trouble(status=400, error={"message": "the engine failed on this request", "type": "server_error"})


@contextmanager
def other_engine() -> Iterator[ModelServer]:
    """Let the assistant ask a model server of this host inside this block, and its own model afterwards."""
    state = ModelServer()
    with Server(make_model_app(state), "0.0.0.0", 0) as server:
        url = f"http://{controller_address(INVENTORY)}:{server.port}/v1"
        values = {"assistant_backend_url": url, "assistant_backend_api_key": state.key}
        there = run_site(INVENTORY, "-e", json.dumps(values), playbook=PLAYBOOK)
        assert there.status == 0, there.output[-3000:]
        try:
            yield state
        finally:
            mend(state)
            back = run_site(INVENTORY, playbook=PLAYBOOK)
            assert back.status == 0, back.output[-3000:]


@contextmanager
def failing(state: ModelServer) -> Iterator[None]:
    """Let the engine fail on every request inside this block."""
    state.fail(*[_REFUSED] * 10_000)
    try:
        yield
    finally:
        mend(state)


@contextmanager
def slow(state: ModelServer) -> Iterator[None]:
    """Let the engine take two minutes for an answer inside this block."""
    state.pause = SLOW_SECONDS
    try:
        yield
    finally:
        mend(state)


def discard_given_up() -> None:
    """Discard the messages that were given up, as an operator who has seen them does."""
    on_machine("docker exec ai-core python3 -m assistant inbox discard --all --yes")


def mend(state: ModelServer) -> None:
    """Let the engine work again, and quickly."""
    state.troubles.clear()
    state.pause = 0.0
