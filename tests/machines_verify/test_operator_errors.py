"""An operator's mistakes: each must stop the run before anything is changed and say what, where and how."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.machines_verify.site_run import run_site

INVENTORY = Path(os.environ["DEMO_INFO"]).parent / "inventory"

MISTAKES = [
    ("a vault value is missing", {"vault_feishu_encrypt_key": ""}, ["vault_feishu_encrypt_key", "vault.yml"]),
    (
        "the model file does not exist",
        {"model_source": "/srv/no/such.gguf"},
        ["model_source", "/srv/no/such.gguf", "main.yml"],
    ),
    ("the model is no GGUF file", {"model_source": "/etc/hostname"}, ["model_source", "GGUF", "main.yml"]),
    ("the domain is empty", {"proxy_domain": ""}, ["proxy_domain", "main.yml"]),
    (
        "the TLS mode is unknown",
        {"proxy_tls_mode": "letsencypt"},
        ["proxy_tls_mode", "letsencrypt", "main.yml"],
    ),
]


@pytest.mark.parametrize(
    ("values", "named"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_a_mistake_stops_before_any_change(values: dict[str, str], named: list[str]) -> None:
    run = run_site(INVENTORY, "-e", json.dumps(values))
    assert run.status != 0
    assert run.changed == 0, run.output[-3000:]
    for word in [*named, "example"]:
        assert word in run.said, f"{word!r} is not in: {run.output[-3000:]}"
