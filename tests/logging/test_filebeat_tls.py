"""Filebeat and Logstash prove themselves to each other: what `filebeat test output` meets."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.app.process import until
from tests.logging.certificates import Authority
from tests.logging.filebeat import Shipper
from tests.logging.node import Node
from tools.elastic.shipper import Filebeat, cached_filebeat


@pytest.fixture(scope="module")
def filebeat() -> Filebeat:
    found = cached_filebeat()
    if found is None:
        pytest.skip("Filebeat is not built: make elastic")
    return found


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "authority"
    folder.mkdir()
    return Authority(folder)


@contextmanager
def listening(authority: Authority) -> Iterator[tuple[int, list[Any]]]:
    """Stand where Logstash does: ask for a certificate of the same authority, and keep whose came."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("logstash"))
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    # So that a refused certificate is a failed handshake for the other side, too.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    came: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def secure(connection: socket.socket) -> None:
            # The first one says nothing: it is there to see whether somebody listens.
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    subject: Any = (secured.getpeercert() or {})["subject"]
                    came.append(dict(part[0] for part in subject))
            except ssl.SSLError as error:
                came.append(error.reason)
            except OSError:
                connection.close()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.settimeout(30)
                    threading.Thread(target=secure, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def ask(
    folder: Path, filebeat: Filebeat, port: int, ca: Path, pair: tuple[Path, Path] | None
) -> subprocess.CompletedProcess[str]:
    """Run `filebeat test output` with the role's settings for Logstash."""
    values: dict[str, Any] = {
        "filebeat_output": "logstash",
        "filebeat_hosts": [f"localhost:{port}"],
        "filebeat_ca_certificate": ca.read_text(),
    }
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "ca.crt").write_bytes(ca.read_bytes())
    for name, part, file in zip(
        ("certificate", "key"), ("client.crt", "client.key"), pair or (), strict=False
    ):
        values[f"filebeat_{name}"] = file.read_text()
        (secrets / part).write_bytes(file.read_bytes())
    shipper = Shipper(folder, filebeat.program, Node(folder, [], {}, port), values)
    return subprocess.run(shipper.command("test", "output"), capture_output=True, text=True, timeout=120)


def test_each_knows_the_other(filebeat: Filebeat, authority: Authority, tmp_path: Path) -> None:
    with listening(authority) as (port, came):
        done = ask(tmp_path, filebeat, port, authority.file, authority.issue("assistant-1"))
    assert done.returncode == 0, done.stdout + done.stderr
    until("its certificate came", lambda: {"commonName": "assistant-1"} in came)


def test_without_a_certificate_of_its_own_it_is_refused(
    filebeat: Filebeat, authority: Authority, tmp_path: Path
) -> None:
    with listening(authority) as (port, came):
        done = ask(tmp_path, filebeat, port, authority.file, None)
    assert done.returncode != 0 and "handshake" in done.stdout + done.stderr
    until("the handshake failed for it", lambda: "PEER_DID_NOT_RETURN_A_CERTIFICATE" in came)


def test_another_authority_is_not_trusted(filebeat: Filebeat, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    with listening(authority) as (port, came):
        done = ask(tmp_path, filebeat, port, other.file, authority.issue("assistant-1"))
    assert done.returncode != 0 and "unknown authority" in done.stdout + done.stderr
    assert {"commonName": "assistant-1"} not in came
