from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.repository.project import ROOT

SCRIPT = ROOT / "roles/proxy/files/ai-assistant-certificate"
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed here")


class Folder:
    """A folder of certificates that the script works on, with a systemctl that knows no nginx."""

    def __init__(self, path: Path) -> None:
        self.path = path
        programs = path / "programs"
        programs.mkdir()
        (programs / "systemctl").write_text("#!/bin/sh\nexit 3\n")
        (programs / "systemctl").chmod(0o755)
        self.environment = {
            **os.environ,
            "AI_ASSISTANT_TLS": str(path),
            "PATH": f"{programs}:{os.environ['PATH']}",
        }

    def configure(self, names: str, renew: str = "yes") -> None:
        text = f'DOMAIN="assistant.example.org"\nNAMES="{names}"\nRENEW="{renew}"\n'
        (self.path / "self_signed.conf").write_text(text)

    def run(self, mode: str = "renew") -> str:
        done = subprocess.run(
            ["sh", str(SCRIPT), mode], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def openssl(self, *arguments: str) -> str:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self.path, capture_output=True, text=True, check=True
        )
        return done.stdout

    def served(self) -> bytes:
        return (self.path / "server.crt").read_bytes()

    def sign(self, days: int) -> None:
        """Replace the certificate by one of the same authority that ends in ``days`` days."""
        self.openssl("req", "-new", "-key", "server.key", "-subj", "/CN=x", "-out", "x.csr")
        signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "7", "-days", str(days)]
        self.openssl("x509", "-req", "-in", "x.csr", *signing, "-out", "server.crt")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.configure("DNS:assistant.example.org,IP:203.0.113.7,IP:2001:db8::7")
    assert "made a certificate" in made.run()
    return made


def test_the_certificate_is_of_the_authority_and_has_every_name(folder: Folder) -> None:
    assert folder.openssl("verify", "-CAfile", "ca.crt", "server.crt").strip() == "server.crt: OK"
    names = folder.openssl("x509", "-in", "server.crt", "-noout", "-ext", "subjectAltName")
    for name in ("DNS:assistant.example.org", "IP Address:203.0.113.7", "IP Address:2001:DB8:0:0:0:0:0:7"):
        assert name in names


def test_keys_are_for_root_alone(folder: Folder) -> None:
    assert [(folder.path / name).stat().st_mode & 0o777 for name in ("ca.key", "server.key")] == [0o600] * 2


def test_a_second_run_does_and_says_nothing(folder: Folder) -> None:
    before = folder.served()
    assert folder.run() == ""
    assert folder.served() == before


def test_other_names_give_another_certificate_of_the_same_authority(folder: Folder) -> None:
    authority = (folder.path / "ca.crt").read_bytes()
    folder.configure("DNS:other.example.org")
    assert "DNS:other.example.org" in folder.run()
    assert (folder.path / "ca.crt").read_bytes() == authority


def test_it_is_renewed_within_thirty_days_of_its_end_and_not_before(folder: Folder) -> None:
    folder.sign(31)
    assert folder.run() == ""
    folder.sign(29)
    assert "made a certificate" in folder.run()


def test_without_the_order_to_renew_a_certificate_of_another_authority_stays(folder: Folder) -> None:
    folder.configure("DNS:other.example.org", renew="no")
    before = folder.served()
    assert folder.run("renew") + folder.run("missing") == ""
    assert folder.served() == before


def test_missing_makes_one_where_there_is_none(folder: Folder) -> None:
    folder.configure("DNS:other.example.org", renew="no")
    (folder.path / "server.crt").unlink()
    assert "made a certificate" in folder.run("missing")


def test_without_its_settings_it_does_nothing(folder: Folder) -> None:
    (folder.path / "self_signed.conf").unlink()
    (folder.path / "server.crt").unlink()
    assert folder.run() == ""
