"""What tests of real parts share: the tiny model and a PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgresql
from tools.controller.model import ensure_tiny_model


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The tiny model."""
    return ensure_tiny_model()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server on a Unix socket; gives the directory of the socket."""
    with postgresql.server() as directory:
        yield directory
