"""The modules that put objects into Elasticsearch and Kibana, against servers that answer as those do."""

from __future__ import annotations

import base64
import copy
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.loading import load_file

LIBRARY = ROOT / "roles/elk/library"
objects = load_file(LIBRARY / "elasticsearch_objects.py")
kibana = load_file(LIBRARY / "kibana_objects.py")

Answer = tuple[int, Any]


class Server(http.server.ThreadingHTTPServer):
    """Keeps what was asked of it, and who may come."""

    passwords: dict[str, str]
    asked: list[str]

    def answer(self, method: str, path: str, body: bytes, user: str) -> Answer:
        raise NotImplementedError


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        login = base64.b64decode((self.headers.get("Authorization") or " ").split(" ")[1]).decode()
        user, _, password = login.partition(":")
        if self.server.passwords and self.server.passwords.get(user) != password:
            document: Any = {"error": {"reason": f"unable to authenticate user [{user}]"}}
            status = 401
        else:
            status, document = self.server.answer(self.command, self.path, body, user)
        if self.command != "GET":
            self.server.asked.append(f"{self.command} {self.path}")
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST = _answer

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(kind: type[Server], passwords: dict[str, str]) -> Iterator[Server]:
    server = kind(("127.0.0.1", 0), Handler)
    server.passwords, server.asked = passwords, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def words(value: Any) -> Any:
    """Settings come back as words."""
    if isinstance(value, dict):
        return {key: words(inner) for key, inner in value.items()}
    return value if isinstance(value, list) else str(value).lower()


class FakeElasticsearch(Server):
    """Answers as 8.15: adds defaults, turns settings into words, wraps what it has."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.kept: dict[str, Any] = {}
        self.users: dict[str, Any] = {}

    def answer(self, method: str, path: str, body: bytes, user: str) -> Answer:
        given = json.loads(body) if body else {}
        name = path.rsplit("/", 1)[-1]
        if path == "/_security/_authenticate":
            return 200, {"username": user}
        if path.endswith("/_password"):
            self.passwords[path.split("/")[-2]] = given["password"]
            return 200, {}
        if path.startswith("/_security/user/"):
            if method == "PUT":
                self.passwords[name] = given.pop("password")
                self.users[name] = given
                return 200, {"created": True}
            return (200, {name: self.users[name]}) if name in self.users else (404, {})
        if path.startswith("/_resolve/index/"):
            return 200, {"data_streams": [{"name": "logs-ai_assistant.app-default"}]}
        if path.endswith("/_rollover"):
            return 200, {"rolled_over": True}
        if method == "PUT":
            self.kept[path] = given
            return 200, {"acknowledged": True}
        if path not in self.kept:
            return 404, {"error": {"reason": "missing"}}
        return 200, self._wrapped(path, name)

    def _wrapped(self, path: str, name: str) -> Any:
        there = copy.deepcopy(self.kept[path])
        if path.startswith(("/_component_template/", "/_index_template/")):
            kind = path.split("/")[1].strip("_")
            settings = there.get("template", {}).get("settings")
            if settings is not None:
                there["template"]["settings"] = words(settings)
            if kind == "index_template":
                there.setdefault("ignore_missing_component_templates", [])
                there["data_stream"] = {"hidden": False, "allow_custom_routing": False}
            return {f"{kind}s": [{"name": name, kind: there}]}
        if path.startswith("/_ilm/policy/"):
            there["policy"]["phases"]["delete"]["actions"] = {"delete": {"delete_searchable_snapshot": True}}
            return {name: {"version": 1, "modified_date": "2026-11-27T00:00:00.000Z", **there}}
        if path.startswith("/_slm/policy/"):
            return {name: {"version": 1, "policy": there, "next_execution_millis": 1}}
        return {name: there}


OBJECTS: list[dict[str, Any]] = [
    {
        "kind": "lifecycle_policies",
        "name": "mine",
        "body": {"policy": {"phases": {"delete": {"min_age": "30d", "actions": {"delete": {}}}}}},
    },
    {
        "kind": "component_templates",
        "name": "mine",
        "body": {"template": {"settings": {"index": {"number_of_replicas": 0, "codec": "best_compression"}}}},
    },
    {
        "kind": "ingest_pipelines",
        "name": "mine",
        "body": {"processors": [{"set": {"field": "a", "value": 1}}]},
    },
    {
        "kind": "index_templates",
        "name": "mine",
        "body": {"index_patterns": ["logs-x.*"], "data_stream": {}, "composed_of": ["mine"]},
    },
    {"kind": "roles", "name": "mine", "body": {"cluster": ["monitor"], "indices": []}},
    {"kind": "snapshot_repositories", "name": "mine", "body": {"type": "fs", "settings": {"location": "/s"}}},
    {"kind": "snapshot_policies", "name": "mine", "body": {"schedule": "0 30 2 * * ?", "repository": "mine"}},
]
USERS = [
    {"name": "kibana_system", "password": "kibana", "roles": [], "built_in": True},
    {"name": "writer", "password": "writer", "roles": ["mine"], "built_in": False},
]
ALL = [f"{entry['kind']}/{entry['name']}" for entry in OBJECTS] + ["users/kibana_system", "users/writer"]


@pytest.fixture
def server() -> Iterator[FakeElasticsearch]:
    with serving(FakeElasticsearch, {"elastic": "right", "kibana_system": "random"}) as running:
        assert isinstance(running, FakeElasticsearch)
        yield running


def put(server: Server, *, check: bool = False, password: str = "right", **changed: Any) -> list[str]:
    elastic = objects.Elasticsearch(f"http://127.0.0.1:{server.server_port}", "elastic", password, "")
    wanted = {"objects": OBJECTS, "users": USERS, "previous_password": "", "rollover": "logs-x.*", **changed}
    changes: list[str] = objects.apply(elastic, wanted, check)
    return changes


def with_body(kind: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**entry, "body": body} if entry["kind"] == kind else entry for entry in OBJECTS]


def test_it_puts_everything_once(server: FakeElasticsearch) -> None:
    assert put(server, check=True) == ALL
    assert server.asked == []
    assert put(server) == ALL
    done = len(server.asked)
    assert put(server, check=True) == put(server) == []
    assert len(server.asked) == done


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        # More, other, and less than before: what was taken out shows as well.
        (
            "lifecycle_policies",
            {"policy": {"phases": {"delete": {"min_age": "7d", "actions": {}}}}},
        ),
        ("component_templates", {"template": {"settings": {"index": {"number_of_replicas": 0}}}}),
        ("ingest_pipelines", {"processors": []}),
        ("index_templates", {"index_patterns": ["logs-x.*"], "data_stream": {}}),
        ("roles", {"cluster": [], "indices": []}),
        ("snapshot_policies", {"schedule": "0 0 3 * * ?", "repository": "mine"}),
    ],
)
def test_what_we_change_is_put_again(server: FakeElasticsearch, kind: str, body: dict[str, Any]) -> None:
    put(server)
    changed = with_body(kind, body)
    assert put(server, objects=changed, check=True) == [f"{kind}/mine"]
    assert put(server, objects=changed) == [f"{kind}/mine"]
    assert put(server, objects=changed) == []


def test_what_somebody_else_changed_is_put_right(server: FakeElasticsearch) -> None:
    put(server)
    server.kept["/_ilm/policy/mine"]["policy"]["phases"]["delete"]["min_age"] = "9999d"
    server.kept["/_ingest/pipeline/mine"]["on_failure"] = [{"drop": {}}]
    server.users["writer"]["roles"] = ["superuser"]
    server.passwords["kibana_system"] = "guessed"
    assert put(server) == [
        "lifecycle_policies/mine",
        "ingest_pipelines/mine",
        "users/kibana_system",
        "users/writer",
    ]
    assert put(server) == []


def test_an_index_begins_anew_only_where_a_template_changed(server: FakeElasticsearch) -> None:
    put(server)
    rollover = "POST /logs-ai_assistant.app-default/_rollover"
    assert server.asked.count(rollover) == 1
    put(server, objects=with_body("roles", {"cluster": [], "indices": []}))
    assert server.asked.count(rollover) == 1
    put(server, objects=with_body("index_templates", {"index_patterns": ["logs-y.*"], "data_stream": {}}))
    assert server.asked.count(rollover) == 2


def test_the_administrators_password_is_changed_by_the_one_of_before(server: FakeElasticsearch) -> None:
    assert put(server, password="new", previous_password="right", check=True)[0] == "users/elastic"
    assert server.passwords["elastic"] == "right"
    assert put(server, password="new", previous_password="right")[0] == "users/elastic"
    assert server.passwords["elastic"] == "new"
    assert put(server, password="new", previous_password="right") == []


def test_a_password_that_nobody_knows_is_said(server: FakeElasticsearch) -> None:
    with pytest.raises(objects.Refused, match="neither the password of elastic nor the one of before"):
        put(server, password="wrong", previous_password="wrong too")


def test_a_refusal_says_why_and_puts_nothing_more(server: FakeElasticsearch) -> None:
    unreachable = objects.Elasticsearch("http://127.0.0.1:9", "", "", "")
    with pytest.raises(objects.Refused) as refused:
        wanted = {"objects": OBJECTS, "users": [], "previous_password": "", "rollover": ""}
        objects.apply(unreachable, wanted, False)
    assert refused.value.status == 0


class FakeKibana(Server):
    """Answers as 8.15 to an export and an import."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.kept: dict[str, Any] = {}
        self.refuses = False

    def answer(self, method: str, path: str, body: bytes, user: str) -> Answer:
        if path == "/kibana/api/saved_objects/_export":
            wanted = [one["id"] for one in json.loads(body)["objects"]]
            if not set(wanted) <= self.kept.keys():
                return 400, {"statusCode": 400, "message": "Error fetching objects to export"}
            return 200, b"\n".join(json.dumps(self.kept[name]).encode() for name in wanted)
        assert path == "/kibana/api/saved_objects/_import?overwrite=true"
        content = re.split(rb"\r\n\r\n", body, maxsplit=1)[1].rsplit(b"\r\n--", 1)[0]
        if self.refuses:
            return 200, {"success": False, "errors": [{"id": "x", "error": {"type": "missing_references"}}]}
        for line in content.splitlines():
            one = json.loads(line)
            self.kept[one["id"]] = one
        return 200, {"success": True, "successCount": len(self.kept)}


CONTENT = '{"type": "index-pattern", "id": "a"}\n{"type": "dashboard", "id": "b"}\n{"exportedCount": 2}'


def test_kibana_tells_what_is_missing_and_takes_all_in_one_file() -> None:
    with serving(FakeKibana, {"elastic": "right"}) as server:
        assert isinstance(server, FakeKibana)
        client = kibana.Kibana(f"http://127.0.0.1:{server.server_port}/kibana", "elastic", "right", "")
        wanted = kibana.objects_of(CONTENT)
        assert [one["id"] for one in wanted] == ["a", "b"]
        assert not client.has(wanted)
        told = client.import_("\n".join(CONTENT.splitlines()[:2]))
        assert told["success"] and client.has(wanted)
        del server.kept["b"]
        assert not client.has(wanted)
        wrong = kibana.Kibana(f"http://127.0.0.1:{server.server_port}/kibana", "elastic", "wrong", "")
        with pytest.raises(kibana.Refused) as refused:
            wrong.has(wanted)
        assert refused.value.status == 401
