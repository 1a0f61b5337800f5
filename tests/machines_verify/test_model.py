"""Another version of the model, back to the one before, and a file that must not become current."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.machines_verify.machine_access import INFO, on_machine
from tests.machines_verify.site_run import SiteRun, run_site
from tools.controller.cache import ROOT

INVENTORY = Path(os.environ["DEMO_INFO"]).parent / "inventory"
API = INFO["api"]


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny-second.gguf"
    maker = [sys.executable, "-m", "tools.tiny_model.make_tiny_model", str(path), "--seed", "8"]
    subprocess.run(maker, cwd=ROOT, check=True, capture_output=True)
    return path


def _model(**values: str) -> SiteRun:
    return run_site(INVENTORY, "-e", json.dumps(values), playbook="playbooks/model.yml")


def _current() -> str:
    return on_machine("basename $(readlink -f /data/ai-models/current.gguf)").strip()


def _answers() -> str:
    """Ask through the front door and return the name of the model that answered."""
    headers = {"Authorization": f"Bearer {API['token']}"}
    body = {"model": "any", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    url = API["base_url"] + "/chat/completions"
    context = ssl.create_default_context(cafile=INFO["ca_file"])
    answer = httpx.post(url, json=body, headers=headers, verify=context, trust_env=False, timeout=60)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["model"])


def test_a_second_version_and_back(second: Path) -> None:
    first = _current()
    swapped = _model(model_source=str(second), model_file=second.name)
    assert swapped.status == 0, swapped.output[-3000:]
    assert _current() == second.name
    assert _answers() == second.stem

    again = _model(model_source=str(second), model_file=second.name)
    assert (again.status, again.changed) == (0, 0), again.output[-3000:]

    back = _model(rollback="true")
    assert back.status == 0, back.output[-3000:]
    assert _current() == first
    assert _answers() == Path(first).stem


def test_a_model_that_is_cut_off_changes_nothing(second: Path, tmp_path: Path) -> None:
    current = _current()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(second.read_bytes()[:-1000])
    run = _model(model_source=str(cut), model_file=cut.name)
    assert run.status != 0
    assert run.changed == 0, run.output[-3000:]
    for word in ("model_source", "cut.gguf", "main.yml"):
        assert word in run.said, f"{word!r} is not in: {run.output[-3000:]}"
    assert _current() == current
