"""GET /openapi.json: what this very process serves, as an OpenAPI document.

Source: spec.openapis.org/oas/v3.1.0. Paths and methods are read from the routes themselves, so that a channel
that is off, or a webhook's path that an operator has chosen, is shown as it is; the words about each route
are in ``operations``. Anybody may read it: it holds no secret, and what it names asks for one.
"""

import re
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify

from assistant.web.operations import COMPONENTS, OPERATIONS, PARAMETERS

VERSION = "3.1.0"
INFO = {
    "title": "AI assistant",
    "version": "1",
    "description": "An OpenAI-compatible API, a web chat, and the webhooks of Feishu and Telegram. "
    "The proxy passes on neither /readyz nor /metrics.",
}
_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")


def document(app: Flask) -> dict[str, Any]:
    """Return the document of all routes of ``app``."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in app.url_map.iter_rules():
        path = paths.setdefault(_VARIABLE.sub(r"{\1}", rule.rule), {})
        if names := _VARIABLE.findall(rule.rule):
            path["parameters"] = [PARAMETERS.get(name, _parameter(name)) for name in names]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            path[method.lower()] = {
                "operationId": rule.endpoint.replace(".", "_"),
                **OPERATIONS.get(rule.endpoint, {"responses": {"default": {"description": "not described"}}}),
            }
    return {"openapi": VERSION, "info": INFO, "paths": paths, "components": COMPONENTS}


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def blueprint() -> Blueprint:
    """Return the blueprint."""
    routes = Blueprint("openapi", __name__)

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(document(current_app))

    return routes
