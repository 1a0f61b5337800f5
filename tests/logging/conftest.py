"""The two nodes, started once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.logging.install import install_data_streams, install_pipelines
from tests.logging.node import Node, data_node, pipeline_node

WRITER, READER = "writer", "reader"
PASSWORD = "a-password-of-a-test"


@pytest.fixture(scope="session")
def pipelines() -> Iterator[httpx.Client]:
    """7.10.2 with the ingest pipelines."""
    with pipeline_node() as node, node.client() as client:
        install_pipelines(client)
        yield client


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """The deployed version with the templates, and a user for each of the two roles."""
    with data_node() as running:
        with running.client() as client:
            install_data_streams(client)
            for user in (WRITER, READER):
                body = {"password": PASSWORD, "roles": [f"ai_assistant_{user}"]}
                assert client.put(f"/_security/user/{user}", json=body).is_success
        yield running


@pytest.fixture
def admin(node: Node) -> Iterator[httpx.Client]:
    """The superuser, for what no role of ours may do."""
    with node.client() as client:
        yield client


@pytest.fixture
def writer(node: Node) -> Iterator[httpx.Client]:
    """What Filebeat and Logstash are."""
    with node.client(WRITER, PASSWORD) as client:
        yield client


@pytest.fixture
def reader(node: Node) -> Iterator[httpx.Client]:
    """Who may search."""
    with node.client(READER, PASSWORD) as client:
        yield client
