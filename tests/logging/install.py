"""Puts files/elasticsearch on a node, as role elk does: each file under its own name."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tools.controller.cache import ROOT

FILES = ROOT / "files" / "elasticsearch"
# In this order: a template names the components, which name the policy.
ADDRESSES = {
    "ingest_pipelines": "/_ingest/pipeline",
    "lifecycle_policies": "/_ilm/policy",
    "component_templates": "/_component_template",
    "index_templates": "/_index_template",
    "roles": "/_security/role",
}


class RefusedError(Exception):
    """Elasticsearch did not take a file; the text is its answer."""


def contents(kind: str) -> dict[str, Any]:
    """Return the files of one folder by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((FILES / kind).glob("*.json"))}


def put(client: httpx.Client, kind: str, name: str, content: object) -> None:
    """Put one file.

    Raises:
        RefusedError: Elasticsearch did not take it.
    """
    answer = client.put(f"{ADDRESSES[kind]}/{name}", json=content)
    if not answer.is_success:
        raise RefusedError(f"{kind}/{name}: {answer.status_code} {answer.text}")


def install(client: httpx.Client, *kinds: str) -> None:
    """Put all files of these folders.

    Raises:
        RefusedError: Elasticsearch did not take one.
    """
    for kind in kinds:
        for name, content in contents(kind).items():
            put(client, kind, name, content)


def install_pipelines(client: httpx.Client) -> None:
    """Put what a ``pipeline_node`` can take."""
    install(client, "ingest_pipelines")


def install_data_streams(client: httpx.Client) -> None:
    """Put what a ``data_node`` can take: all but the pipelines and the policy, whose modules it lacks."""
    install(client, "component_templates", "index_templates", "roles")
