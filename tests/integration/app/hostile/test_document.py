"""Schemathesis: what the served OpenAPI document says, right and wrong, and whether it is true."""

from typing import Any

import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.emulators.telegram_client import SECRET_HEADER
from tests.integration.app.hostile.conftest import hostile
from tests.integration.app.hostile.target import Answer, Target
from tests.integration.app.process import SECRETS

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
PROOFS = {
    "Authorization": f"Bearer {SECRETS['api_token']}",
    SECRET_HEADER: SECRETS["telegram_secret_token"],
}


@hostile(0.25)
@given(data=st.data())
def test_the_document_is_true(target: Target, data: st.DataObject) -> None:
    schema = _schema(target)
    operation = data.draw(st.sampled_from(schema), label="operation")
    mode = data.draw(st.sampled_from(list(GenerationMode)), label="mode")
    case = data.draw(operation.as_strategy(mode), label="case")
    proved = data.draw(st.booleans(), label="proved")
    given = {"headers": PROOFS, "cookies": {"access": target.access}} if proved else {}
    response = case.call(base_url=target.assistant.url, **given)
    target.note(Answer(response.status_code, response.content), proved=proved)
    case.validate_response(response, checks=CHECKS)


_schemas: dict[str, list[Any]] = {}


def _schema(target: Target) -> list[Any]:
    url = target.assistant.url
    if url not in _schemas:
        found = schemathesis.openapi.from_url(f"{url}/openapi.json")
        _schemas[url] = [result.ok() for result in found.get_all_operations()]
    return _schemas[url]


def test_every_operation_of_the_document_is_tried(target: Target) -> None:
    paths = target.assistant.get("/openapi.json").json()["paths"]
    listed = {(path, m) for path, item in paths.items() for m in item if m != "parameters"}
    # Schemathesis leaves out where it has the document from.
    assert {(o.path, o.method) for o in _schema(target)} == listed - {("/openapi.json", "get")}
