"""The OpenAPI document says what the app serves: no route is missing, and none is made up."""

from pathlib import Path
from typing import Any, get_args

import pytest
from flask import Flask

from assistant.channels.api.known import State
from assistant.runtime import Runtime
from assistant.secret_files import SECRET_NAMES
from assistant.settings import load_settings
from assistant.web.openapi import document
from assistant.web.operations import CACHE_HEADER, COMPONENTS, OPERATIONS

EVERYTHING = {
    "ASSISTANT_BACKEND_URL": "http://127.0.0.1:9/v1",
    "ASSISTANT_BACKEND_MODEL": "x",
    "ASSISTANT_FEISHU_ENABLED": "true",
    "ASSISTANT_FEISHU_APP_ID": "cli_1",
    "ASSISTANT_TELEGRAM_ENABLED": "true",
    "ASSISTANT_TELEGRAM_WEBHOOK_PATH": "/telegram/chosen",
    "ASSISTANT_PUBLIC_URL": "https://a.example",
}
SECRET = "not-to-be-told"


def make(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> Flask:
    secrets = folder / "secrets"
    secrets.mkdir()
    for name in SECRET_NAMES - {"database_encryption_key"}:
        (secrets / name).write_text(f"{SECRET}-{name}\n")
    (secrets / "database_url").write_text(f"sqlite:///{folder}/{SECRET}.db\n")
    monkeypatch.setenv("ASSISTANT_SECRETS_DIR", str(secrets))
    for name, value in {**EVERYTHING, **settings}.items():
        monkeypatch.setenv(name, value)
    return Runtime(load_settings()).app()


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    return make(tmp_path, monkeypatch)


def operations(app: Flask) -> dict[tuple[str, str], dict[str, Any]]:
    answer = app.test_client().get("/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    paths = answer.get_json()["paths"]
    return {(p, m): o for p, item in paths.items() for m, o in item.items() if m != "parameters"}


def test_every_route_is_described_and_nothing_else(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(OPERATIONS)


def test_paths_and_methods_are_those_of_the_routes(app: Flask) -> None:
    listed = set(operations(app))
    assert {("/telegram/chosen", "post"), ("/chat/messages", "get"), ("/static/{name}", "get")} <= listed
    client = app.test_client()
    for path, method in listed:
        answer = client.open(path.replace("{", "").replace("}", ""), method=method.upper())
        assert answer.status_code != 405, (path, method)
        assert path != "/" or answer.status_code == 200


def test_a_channel_that_is_off_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(tmp_path, monkeypatch, ASSISTANT_FEISHU_ENABLED="false", ASSISTANT_API_ENABLED="false")
    paths = {path for path, _ in operations(app)}
    assert not [path for path in paths if path.startswith(("/feishu", "/v1"))]
    assert "/telegram/chosen" in paths


def test_it_names_no_secret(app: Flask) -> None:
    assert SECRET not in app.test_client().get("/openapi.json").text


def test_what_it_refers_to_is_there(app: Flask) -> None:
    text = str(document(app))
    for kind, entries in COMPONENTS.items():
        for name in entries:
            assert name in text
            assert kind != "schemas" or f"#/components/schemas/{name}" in text
    for operation in operations(app).values():
        for demand in operation.get("security", []):
            assert set(demand) <= set(COMPONENTS["securitySchemes"])


def test_where_an_answer_comes_from_is_described(app: Flask) -> None:
    answer = operations(app)["/v1/chat/completions", "post"]["responses"]["200"]
    states = get_args(State)
    # What waits in vain is refused: it has no such answer.
    assert set(answer["headers"][CACHE_HEADER]["schema"]["enum"]) == set(states) - {"busy", "late"}
