"""The size cap: role elk's janitor on the deployed version of Elasticsearch, as its own user."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest

from tests.logging.conftest import PASSWORD
from tests.logging.events import event, send
from tests.logging.node import Node
from tools.controller.cache import ROOT

JANITOR = ROOT / "roles" / "elk" / "files" / "ai-assistant-elk-janitor"
DATASET = "ai_assistant.janitor"


@pytest.fixture
def stream(admin: httpx.Client, writer: httpx.Client) -> str:
    """A data stream of three indices, each with lines."""
    namespace = uuid.uuid4().hex
    name = f"logs-{DATASET}-{namespace}"
    parts = {"type": "logs", "dataset": DATASET, "namespace": namespace}
    lines = [event("system", uuid.uuid4().hex, data_stream=parts) for _ in range(50)]
    for number in range(3):
        if number:
            assert admin.post(f"/{name}/_rollover").json()["rolled_over"]
        assert set(send(writer, lines)) == {201}
    assert admin.post(f"/{name}/_flush").is_success
    return name


def indices(admin: httpx.Client, stream: str) -> list[str]:
    """Return a stream's indices, the oldest first."""
    (found,) = admin.get(f"/_resolve/index/{stream}").json()["data_streams"]
    return list(found["backing_indices"])


def clean(node: Node, admin: httpx.Client, stream: str, folder: Path, most: int) -> list[str]:
    """Run the janitor with ``most`` bytes for this stream; return what it says."""
    user = {"password": PASSWORD, "roles": ["ai_assistant_janitor"]}
    assert admin.put("/_security/user/janitor", json=user).is_success
    settings = folder / "settings.json"
    login = {"user": "janitor", "password": PASSWORD, "url": node.url, "ca_file": str(node.ca)}
    settings.write_text(json.dumps({**login, "pattern": stream, "max_bytes": most}))
    done = subprocess.run([sys.executable, str(JANITOR), str(settings)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_nothing_is_deleted_while_there_is_room(
    node: Node, admin: httpx.Client, stream: str, tmp_path: Path
) -> None:
    before = indices(admin, stream)
    assert clean(node, admin, stream, tmp_path, 10**9) == []
    assert indices(admin, stream) == before


def test_the_oldest_goes_first(node: Node, admin: httpx.Client, stream: str, tmp_path: Path) -> None:
    before = indices(admin, stream)
    sizes = [
        int(row["store.size"])
        for name in before
        for row in admin.get(
            f"/_cat/indices/{name}", params={"format": "json", "bytes": "b", "h": "store.size"}
        ).json()
    ]
    said = clean(node, admin, stream, tmp_path, sum(sizes) - 1)
    assert [line.split()[1] for line in said] == before[:1]
    assert indices(admin, stream) == before[1:]


def test_what_is_written_into_stays_and_is_followed_by_another(
    node: Node, admin: httpx.Client, stream: str, tmp_path: Path
) -> None:
    before = indices(admin, stream)
    clean(node, admin, stream, tmp_path, 1)
    after = indices(admin, stream)
    assert after[0] == before[-1]
    assert len(after) == 2
    assert admin.post(f"/{stream}/_refresh").is_success
    assert admin.get(f"/{after[0]}/_count").json()["count"] == 50
