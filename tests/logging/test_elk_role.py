"""What role elk does to Elasticsearch, tried on the real one: settings, certificates, objects and users."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.logging.install import contents
from tests.logging.node import Node, NodeError, _data_node, _running, free_port, pipeline_node
from tests.unit.roles.loading import load_file
from tests.unit.roles.playbook import render
from tools.controller.cache import ROOT
from tools.elastic.nodes import Nodes

ROLE = ROOT / "roles/elk"
objects = load_file(ROLE / "library/elasticsearch_objects.py")
PASSWORD = "0123456789abcdef"
# Its module is on no registry: the node would refuse the one setting of it.
ABSENT = {"ingest.geoip.downloader.enabled"}


@contextmanager
def node_with(settings: dict[str, Any]) -> Iterator[Node]:
    """Run the deployed version with settings of the role, and certificates of its program."""

    def make(nodes: Nodes, home: Path, port: int) -> Node:
        node = _data_node(nodes, home, port)
        config = home / "config"
        subprocess.run(
            [str(ROLE / "files/ai-assistant-elk-certificates"), str(home / "pki"), "30", "7"],
            input="elasticsearch|serverAuth,clientAuth|DNS:elasticsearch,DNS:localhost,IP:127.0.0.1\n",
            text=True,
            check=True,
            capture_output=True,
        )
        (home / "pki/elasticsearch").rename(config / "certs")
        here = {
            "http.port": port,
            "transport.port": free_port(),
            "path.data": str(home / "data"),
            "path.logs": str(home / "logs"),
            "path.repo": [str(home / "repository")],
        }
        (config / "elasticsearch.yml").write_text(yaml.safe_dump(settings | here))
        node.ca = config / "certs/ca.crt"
        return node

    with _running(make, None) as node:
        yield node


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    text = render(
        tmp_path_factory.mktemp("settings"),
        "elk",
        "elasticsearch.yml.j2",
        {"elk_snapshot_path": "/mnt/backup"},
    )
    document: dict[str, Any] = yaml.safe_load(text)
    assert document.keys() >= ABSENT
    return {name: value for name, value in document.items() if name not in ABSENT}


@pytest.fixture(scope="module")
def deployed(settings: dict[str, Any]) -> Iterator[Node]:
    with node_with(settings) as node:
        yield node


def objects_of(*kinds: str) -> list[dict[str, Any]]:
    return [
        {"kind": kind, "name": name, "body": body} for kind in kinds for name, body in contents(kind).items()
    ]


def put(node: Node, password: str, **wanted: Any) -> list[str]:
    """Put what differs, as the role's module does."""
    user = "elastic" if node.password else ""
    elastic = objects.Elasticsearch(node.url, user, password, str(node.ca or ""))
    given = {"objects": [], "users": [], "previous_password": "", "rollover": "", **wanted}
    changes: list[str] = objects.apply(elastic, given, False)
    return changes


def test_the_real_elasticsearch_takes_every_setting(deployed: Node) -> None:
    with deployed.client() as client:
        assert client.get("/_cluster/health").json()["status"] in {"green", "yellow"}
    with deployed.client(password="wrong") as client:
        assert client.get("/").status_code == 401


def test_it_would_say_so_if_it_did_not(settings: dict[str, Any]) -> None:
    with (
        pytest.raises(NodeError, match=r"unknown setting \[xpack.security.no_such_thing\]"),
        node_with({**settings, "xpack.security.no_such_thing": True}),
    ):
        pass


def test_templates_roles_and_users_are_put_once(deployed: Node) -> None:
    users = [
        {"name": "kibana_system", "password": PASSWORD, "roles": [], "built_in": True},
        {
            "name": "ai_assistant_filebeat",
            "password": PASSWORD,
            "roles": ["ai_assistant_writer"],
            "built_in": False,
        },
    ]
    wanted = objects_of("component_templates", "index_templates", "roles")
    names = [f"{one['kind']}/{one['name']}" for one in wanted]
    names += [f"users/{user['name']}" for user in users]
    assert put(deployed, deployed.password, objects=wanted, users=users) == names
    assert put(deployed, deployed.password, objects=wanted, users=users) == []
    # Less than before is another one, too.
    wanted[0]["body"] = json.loads(json.dumps(wanted[0]["body"]))
    wanted[0]["body"]["template"]["mappings"]["properties"].popitem()
    assert put(deployed, deployed.password, objects=wanted, users=users) == names[:1]
    users[1]["password"] = PASSWORD[::-1]
    assert put(deployed, deployed.password, objects=wanted, users=users) == ["users/ai_assistant_filebeat"]


def test_a_repository_for_snapshots_is_put_once(deployed: Node) -> None:
    body = {"type": "fs", "settings": {"location": str(deployed.home / "repository")}}
    wanted = [{"kind": "snapshot_repositories", "name": "ai-assistant", "body": body}]
    assert put(deployed, deployed.password, objects=wanted) == ["snapshot_repositories/ai-assistant"]
    assert put(deployed, deployed.password, objects=wanted) == []


def test_the_administrators_password_is_changed(deployed: Node) -> None:
    before = deployed.password
    assert put(deployed, PASSWORD, previous_password=before) == ["users/elastic"]
    deployed.password = PASSWORD
    assert put(deployed, PASSWORD, previous_password=before) == []


def test_pipelines_are_put_once() -> None:
    wanted = objects_of("ingest_pipelines")
    with pipeline_node() as node:
        assert put(node, "", objects=wanted) == [f"ingest_pipelines/{one['name']}" for one in wanted]
        assert put(node, "", objects=wanted) == []
        wanted[0]["body"] = {**wanted[0]["body"], "description": "another"}
        assert put(node, "", objects=wanted) == [f"ingest_pipelines/{wanted[0]['name']}"]
