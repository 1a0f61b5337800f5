"""Models from a server whose connection breaks, and from 16 bits: they arrive whole, and answer."""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines_verify.cutting_server import controller_address, cutting_server, trusted
from tests.machines_verify.machine_access import on_machine
from tests.machines_verify.site_run import SiteRun, run_site
from tests.machines_verify.test_model import INVENTORY, _answers, _current
from tests.sixteen_bits import write_f16
from tools.controller.cache import ROOT
from tools.tiny_model.weights import Shape

ADDRESS = controller_address(INVENTORY)


@pytest.fixture(scope="module")
def server_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ssl.SSLContext]:
    first = _current()
    with trusted(tmp_path_factory.mktemp("tls"), ADDRESS) as context:
        yield context
    back = run_site(INVENTORY, playbook="playbooks/model.yml")
    assert back.status == 0, back.output[-3000:]
    assert _current() == first


def _fetch(port: int, name: str, data: bytes, **values: str) -> SiteRun:
    asked = {
        "model_source": f"https://{ADDRESS}:{port}/{name}",
        "model_file": name,
        "model_sha256": hashlib.sha256(data).hexdigest(),
        **values,
    }
    return run_site(INVENTORY, "-e", json.dumps(asked), playbook="playbooks/model.yml")


def test_a_cut_download_goes_on_where_it_ended(server_side: ssl.SSLContext, tmp_path: Path) -> None:
    path = tmp_path / "resumed.gguf"
    maker = [sys.executable, "-m", "tools.tiny_model.make_tiny_model", str(path), "--seed", "9"]
    subprocess.run(maker, cwd=ROOT, check=True, capture_output=True)
    data = path.read_bytes()
    with cutting_server(server_side, data, ranges=True) as server:
        run = _fetch(server.server_port, path.name, data)
    assert run.status == 0, run.output[-3000:]
    half = len(data) // 2
    assert server.asked == ["", f"bytes={half}-"]
    assert server.sent == [half, len(data) - half]
    assert (
        on_machine(f"sha256sum < /data/ai-models/{path.name}").split()[0] == hashlib.sha256(data).hexdigest()
    )
    assert (_current(), _answers()) == (path.name, path.stem)


def test_sixteen_bits_from_a_server_without_ranges_become_four_on_the_target(
    server_side: ssl.SSLContext, tmp_path: Path
) -> None:
    path = tmp_path / "sixteen.gguf"
    write_f16(path, Shape(width=256, feed_forward=512))
    data = path.read_bytes()
    with cutting_server(server_side, data, ranges=False) as server:
        run = _fetch(
            server.server_port, path.name, data, model_file="four-q4_k_m.gguf", model_quantize="target"
        )
    assert run.status == 0, run.output[-3000:]
    assert server.asked == ["", f"bytes={len(data) // 2}-"]
    assert server.sent == [len(data) // 2, len(data)], "the whole of it again"
    assert "four-q4_k_m.gguf (Q4_K_M): " in run.said and f"{-(-len(data) // (1 << 20))} MiB" in run.said
    listed = on_machine("ls -A /data/ai-models").split()
    assert not [name for name in listed if "16bit" in name or name.endswith(".part")], listed
    assert int(on_machine("stat -L -c %s /data/ai-models/current.gguf")) < 0.4 * len(data)
    assert (_current(), _answers()) == ("four-q4_k_m.gguf", "four-q4_k_m")


def test_what_llama_cpp_refuses_is_removed_again(server_side: ssl.SSLContext, tmp_path: Path) -> None:
    del server_side
    path = tmp_path / "renamed.gguf"
    maker = [sys.executable, "-m", "tools.tiny_model.make_tiny_model", str(path), "--seed", "5"]
    subprocess.run(maker, cwd=ROOT, check=True, capture_output=True)
    path.write_bytes(path.read_bytes().replace(b"output_norm.weight", b"output_form.weight"))
    before, started = _current(), on_machine("docker inspect -f '{{.State.StartedAt}}' ai-core")
    values = json.dumps({"model_source": str(path), "model_file": path.name})
    run = run_site(INVENTORY, "-e", values, playbook="playbooks/model.yml")
    assert run.status != 0
    assert "'output_norm.weight' not found" in run.said and "model_source" in run.said, run.output[-3000:]
    assert path.name not in on_machine("ls -A /data/ai-models")
    assert _current() == before
    assert on_machine("docker inspect -f '{{.State.StartedAt}}' ai-core") == started, "the service went on"
