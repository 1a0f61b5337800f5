"""The program that makes the logging's certificates, with openssl itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.repository.project import ROOT

PROGRAM = ROOT / "roles/elk/files/ai-assistant-elk-certificates"
SERVER = "elasticsearch|serverAuth,clientAuth|DNS:elasticsearch,IP:127.0.0.1"
CLIENT = "client-one|clientAuth|DNS:one"
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed here")


def make(folder: Path, *lines: str, check: bool = False, days: int = 1825, renew: int = 180) -> list[str]:
    command = [str(PROGRAM), *(["--check"] if check else []), str(folder), str(days), str(renew)]
    done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def openssl(*words: str) -> str:
    return subprocess.run(["openssl", *words], capture_output=True, text=True, check=True).stdout


def test_it_makes_what_is_missing_once(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    assert make(folder, SERVER, CLIENT, check=True) == ["authority", "elasticsearch", "client-one"]
    assert not folder.exists()
    assert make(folder, SERVER, CLIENT) == ["authority", "elasticsearch", "client-one"]
    assert make(folder, SERVER, CLIENT, check=True) == make(folder, SERVER, CLIENT) == []
    assert (folder / "ca.key").stat().st_mode & 0o777 == 0o600
    assert (folder / "elasticsearch/tls.key").stat().st_mode & 0o777 == 0o640
    assert (folder / "elasticsearch").stat().st_mode & 0o777 == 0o750
    # What Logstash reads.
    assert (folder / "elasticsearch/tls.key").read_text().startswith("-----BEGIN PRIVATE KEY-----")


def test_each_is_good_for_what_it_is_for(tmp_path: Path) -> None:
    make(tmp_path, SERVER, CLIENT)
    authority = ["verify", "-x509_strict", "-CAfile", str(tmp_path / "ca.crt"), "-purpose"]
    server, client = (str(tmp_path / name / "tls.crt") for name in ("elasticsearch", "client-one"))
    openssl(*authority, "sslserver", "-verify_hostname", "elasticsearch", server)
    openssl(*authority, "sslserver", "-verify_ip", "127.0.0.1", server)
    openssl(*authority, "sslclient", client)
    for wrong in (["sslserver", client], ["sslserver", "-verify_hostname", "example.org", server]):
        with pytest.raises(subprocess.CalledProcessError):
            openssl(*authority, *wrong)


@pytest.mark.parametrize(
    ("lines", "days", "renew", "made"),
    [
        ([SERVER + ",DNS:logs.example.org", CLIENT], 1825, 180, ["elasticsearch"]),
        ([SERVER, CLIENT], 1825, 1826, ["elasticsearch", "client-one"]),
        ([SERVER], 1825, 180, ["removed client-one"]),
    ],
    ids=["another name", "its end is near", "a host that left"],
)
def test_only_what_must_be_is_made_anew(
    tmp_path: Path, lines: list[str], days: int, renew: int, made: list[str]
) -> None:
    make(tmp_path, SERVER, CLIENT)
    before = (tmp_path / "ca.crt").read_bytes()
    assert make(tmp_path, *lines, days=days, renew=renew, check=True) == made
    assert make(tmp_path, *lines, days=days, renew=renew) == made
    assert (tmp_path / "ca.crt").read_bytes() == before


@pytest.mark.parametrize("lost", ["tls.crt", "tls.key", "ca.crt"])
def test_what_was_lost_or_does_not_fit_is_made_anew(tmp_path: Path, lost: str) -> None:
    make(tmp_path, SERVER, CLIENT)
    other = (tmp_path / "client-one" / lost).read_bytes()
    (tmp_path / "elasticsearch" / lost).write_bytes(other if lost == "tls.key" else b"")
    assert make(tmp_path, SERVER, CLIENT) == ["elasticsearch"]
    assert make(tmp_path, SERVER, CLIENT) == []


def test_another_authority_signs_all_anew(tmp_path: Path) -> None:
    make(tmp_path, SERVER, CLIENT)
    (tmp_path / "ca.key").unlink()
    assert make(tmp_path, SERVER, CLIENT) == ["authority", "elasticsearch", "client-one"]
    openssl("verify", "-CAfile", str(tmp_path / "ca.crt"), str(tmp_path / "client-one/tls.crt"))
