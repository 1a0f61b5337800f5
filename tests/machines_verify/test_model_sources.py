"""Models from a server whose connection breaks, and from 16 bits: they arrive whole, and answer."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines_verify.cutting_server import controller_address, cutting_server, trusted
from tests.machines_verify.machine_access import on_machine
from tests.machines_verify.served_model import INVENTORY, answering, current, play_model, tiny_model
from tests.machines_verify.site_run import SiteRun
from tests.sixteen_bits import write_f16
from tools.tiny_model.weights import Shape

ADDRESS = controller_address(INVENTORY)


@pytest.fixture(scope="module")
def server_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ssl.SSLContext]:
    first = current()
    with trusted(tmp_path_factory.mktemp("tls"), ADDRESS) as context:
        yield context
    back = play_model()
    assert back.status == 0, back.output[-3000:]
    assert current() == first


def _fetch(port: int, name: str, data: bytes, **values: str) -> SiteRun:
    digest, url = hashlib.sha256(data).hexdigest(), f"https://{ADDRESS}:{port}/{name}"
    return play_model(**{"model_source": url, "model_file": name, "model_sha256": digest, **values})


def test_a_cut_download_goes_on_where_it_ended(server_side: ssl.SSLContext, tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "resumed.gguf", seed=9)
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
    assert (current(), answering()) == (path.name, path.stem)


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
    assert (current(), answering()) == ("four-q4_k_m.gguf", "four-q4_k_m")


def test_what_llama_cpp_refuses_is_removed_again(server_side: ssl.SSLContext, tmp_path: Path) -> None:
    del server_side
    path = tiny_model(tmp_path / "renamed.gguf", seed=5)
    path.write_bytes(path.read_bytes().replace(b"output_norm.weight", b"output_form.weight"))
    before, started = current(), on_machine("docker inspect -f '{{.State.StartedAt}}' ai-core")
    run = play_model(model_source=str(path), model_file=path.name)
    assert run.status != 0
    assert "'output_norm.weight' not found" in run.said and "model_source" in run.said, run.output[-3000:]
    assert path.name not in on_machine("ls -A /data/ai-models")
    assert current() == before
    assert on_machine("docker inspect -f '{{.State.StartedAt}}' ai-core") == started, "the service went on"
