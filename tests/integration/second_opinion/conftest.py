"""Fixtures: programs by others, and the assistant beside them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.app.conftest import make_assistant  # noqa: F401  # a fixture, used by its name
from tests.integration.app.process import SECRETS
from tests.second_opinion.node import NodeProgram
from tools.controller.failure import StageFailure
from tools.controller.second_opinion import ensure_second_opinion


@pytest.fixture(scope="session")
def modules() -> Path:
    """The installed npm packages. Without them the tests fail: skipped, nobody would miss them."""
    try:
        return ensure_second_opinion()
    except StageFailure as failure:
        pytest.fail(f"{failure.why}\nWhat to do: {failure.remedy}", pytrace=False)


@pytest.fixture(scope="module")
def sdk(modules: Path) -> Iterator[str]:
    """Feishu's SDK for Node.js, listening; gives its address."""
    key, token = SECRETS["feishu_encrypt_key"], SECRETS["feishu_verification_token"]
    with NodeProgram("feishu.js", modules, key, token) as program:
        yield program.said["url"]
