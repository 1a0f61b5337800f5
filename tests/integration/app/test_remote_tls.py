"""The backend for a model server elsewhere, over TLS."""

import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug.serving import make_server

from assistant.inference.backend import Options
from assistant.inference.remote import retrying
from assistant.inference.remote.backend import RemoteBackend
from assistant.inference.remote.errors import Unavailable
from assistant.messages import Turn
from tests.emulators.model_server import PIECES, ModelServer, make_model_app

KEY = "sk-over-tls-0123456789"


def answer(address: str) -> str:
    backend = RemoteBackend(address, model="first-model", key=KEY, context_tokens=512, parallel=1, limit=1)
    backend.start()
    try:
        return backend.generate([Turn("user", "Hello")], Options(9, 0.0, 20.0)).text
    finally:
        backend.stop()


def test_certificate_of_an_own_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client trusts the system's authorities, and nobody else; SSL_CERT_FILE stands in for them here."""
    certificate, key = own_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    app = make_model_app(ModelServer(key=KEY))
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        address = f"https://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.setattr(retrying, "FIRST_PAUSE_SECONDS", 0.02)
        with pytest.raises(Unavailable):
            answer(address)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert answer(address) == "".join(PIECES)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """Files of a certificate for 127.0.0.1 that no authority has signed, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "model server")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private
