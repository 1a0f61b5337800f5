"""No secret of the vault in any log: of the deployment, of conversations on all channels, of failures."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import os
import secrets
import ssl
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import httpx
import pytest
import yaml

from tests.end_to_end.conversation import Conversation
from tests.end_to_end.demo_info import read
from tests.machines_verify.machine_access import INFO, eventually, on_machine, reading
from tests.secret_search import Finding, Searcher, told
from tools.controller.cache import BUILD

_INFO_FILE = Path(os.environ["DEMO_INFO"]).resolve()
_PACKED: dict[str, Callable[[Any], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
# The journal is read by its own program: its files are compressed piece by piece.
_VAR_LOG = (
    "tar --create --file=- --directory=/ --exclude=var/log/journal --ignore-failed-read var/log || [ $? = 1 ]"
)
_JOURNAL = "journalctl --sync; journalctl --no-pager --all --output=export"


def _vault() -> dict[str, str]:
    """Return the demo's vault: every group's file, as tools/demo wrote it for Ansible."""
    values: dict[str, str] = {}
    for path in (_INFO_FILE.parent / "inventory" / "group_vars").rglob("*.yml"):
        values |= {
            name: value
            for name, value in yaml.safe_load(path.read_text()).items()
            if name.startswith("vault_")
        }
    return values


def _unpacked(name: str, stream: IO[bytes]) -> IO[bytes]:
    opened: IO[bytes] = _PACKED.get(Path(name).suffix, lambda same: same)(stream)
    return opened


def _search(searcher: Searcher) -> set[Finding]:
    """Look through the journal, /var/log, every container's log, and what the controller kept of its runs."""
    with reading(_JOURNAL) as stream:
        found = searcher.search("the journal", stream)
    with reading(_VAR_LOG) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content:
                found |= searcher.search(f"/{member.name}", _unpacked(member.name, content))
        # The archive's end; tar would die of a closed pipe.
        stream.read()
    for container in on_machine("docker ps --all --format '{{.Names}}'").split():
        with reading(f"docker logs {container} 2>&1") as stream:
            found |= searcher.search(f"docker logs {container}", stream)
    for path in (BUILD / "logs").glob(f"{_INFO_FILE.parent.name}-*.log"):
        with path.open("rb") as stream:
            found |= searcher.search(f"build/logs/{path.name}", stream)
    return found


def _client() -> httpx.Client:
    context = ssl.create_default_context(cafile=INFO["ca_file"])
    return httpx.Client(base_url=INFO["https_url"], verify=context, trust_env=False, timeout=60)


def _talk() -> None:
    """Hold a conversation on each channel; each platform fails once while it takes the reply."""
    conversation = Conversation(read(str(_INFO_FILE)), patience=120)
    for platform in ("feishu", "telegram"):
        for cut in ("", "before"):
            order = {"times": 1, "status": 500, "cut": cut}
            httpx.post(
                f"{INFO[platform]['emulator_url']}/_fail", json=order, trust_env=False
            ).raise_for_status()
            conversation.ask(platform, f"What can you do? {uuid.uuid4().hex}")
    with _client() as client:
        number = uuid.uuid4().hex
        client.post("/chat/messages", json={"id": number, "text": f"你好 {number}"}).raise_for_status()
        with client.stream("GET", f"/chat/messages/{number}/stream") as stream:
            assert stream.status_code == 200
            assert stream.read()
        question = {"model": "any", "messages": [{"role": "user", "content": number}], "max_tokens": 8}
        token = {"Authorization": f"Bearer {INFO['api']['token']}"}
        client.post("/v1/chat/completions", json=question, headers=token).raise_for_status()


def _mistakes(vault: dict[str, str]) -> None:
    """Send each secret where it does not belong, as people do with tools that are set up wrongly."""
    with _client() as client:
        for value in vault.values():
            for path in ("/v1/models", "/feishu/webhook", INFO["telegram"]["webhook_path"], "/"):
                answers = [
                    client.get(path, params={"token": value}),
                    client.post(path, json={"token": value, "password": value}),
                    client.get(
                        path, headers={"Authorization": f"Bearer {value}x", "Cookie": f"a={quote(value)}"}
                    ),
                    client.get(path, headers={"X-Request-ID": quote(value), "User-Agent": quote(value)}),
                ]
                assert all(answer.status_code < 500 for answer in answers)


def test_no_secret_of_the_vault_is_in_any_log() -> None:
    vault = _vault()
    assert len(vault) >= 7
    assert INFO["telegram"]["bot_token"] in vault.values()
    _talk()
    _mistakes(vault)
    searcher = Searcher(vault)
    found = _search(searcher)
    assert not found, told(found)
    # That it looked where the deployment and the conversation are.
    for place in ("the journal", "/var/log/nginx/access.log", "docker logs ai-core"):
        assert searcher.searched[place] > 1000, place


@pytest.fixture
def planted() -> str:
    """A secret that the searched places are given: with characters that encodings change."""
    return f"planted/{secrets.token_hex(8)}+{secrets.token_hex(8)}="


def test_a_planted_value_is_found_wherever_it_is(planted: str) -> None:
    coded = base64.b64encode(f"user:{planted}".encode()).decode()
    on_machine(f"logger --tag planted 'Authorization: Basic {coded}'")
    on_machine(f"echo '{json.dumps({'url': quote(planted, safe='')})}' >> /var/log/planted.log")
    on_machine(f"printf %s '{planted}' | gzip > /var/log/planted.log.1.gz")
    on_machine(f"docker exec ai-core python3 -c \"print('{planted}', file=open('/proc/1/fd/2', 'w'))\"")
    try:
        searcher = Searcher({"planted": planted})
        expected = {
            Finding("planted", "base64, 2 before it", "the journal"),
            Finding("planted", "URL-encoded", "/var/log/planted.log"),
            Finding("planted", "as it is", "/var/log/planted.log.1.gz"),
            Finding("planted", "as it is", "docker logs ai-core"),
        }
        assert eventually(lambda: expected <= _search(searcher), 60, 2)
    finally:
        on_machine("rm -f /var/log/planted.log*")
