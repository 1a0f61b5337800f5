"""A long answer that takes its time: the tiny model's are as long as chance wants them."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.emulators.model_server import ModelServer, make_model_app
from tests.emulators.server import Server
from tests.integration.app.conftest import Maker
from tests.integration.app.process import Assistant

STORY = (
    "Once upon a time ",
    "there was ",
    "a *little* ",
    "assistant ",
    "that lived ",
    "on a server ",
    "and was ",
    "well.",
)


@contextmanager
def told_by(make_assistant: Maker, **settings: str) -> Iterator[Assistant]:
    """Run an assistant whose model takes four seconds for ``STORY``."""
    model = ModelServer(answer=lambda body: STORY, pause=0.5)
    with Server(make_model_app(model), "127.0.0.1", 0) as running:
        made = make_assistant({**settings, "MODEL_PATH": "", "ASSISTANT_BACKEND_URL": f"{running.url}/v1"})
        (made.directory / "secrets" / "backend_api_key").write_text(model.key + "\n")
        made.start()
        yield made
        made.stop()
