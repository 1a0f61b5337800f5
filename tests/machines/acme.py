"""A real ACME server beside a throwaway machine: Debian's pebble, with a DNS server that knows the machine.

``python -m tests.machines.acme up NAME`` prints the directory address and two files: the authority of the
ACME server's own https, and the root that signs what it issues. ``down NAME`` stops both programs.

Source: https://github.com/letsencrypt/pebble (README: configuration, management interface, challtestsrv).
"""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.machines.machine import Machine, find_machine
from tools.controller.failure import StageFailure
from tools.controller.packages import ensure_packages

ACME_PORT, MANAGEMENT_PORT, DNS_PORT, DNS_MANAGEMENT_PORT = 14000, 15000, 8053, 8055
_START_SECONDS = 30.0


def _write_server_certificate(folder: Path, address: str) -> None:
    """Write server.crt, server.key and authority.crt (self-signed) for the ACME server's own https."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ACME server of a test machine")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ipaddress.ip_address(address)), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "server.crt").write_bytes(pem)
    (folder / "authority.crt").write_bytes(pem)
    (folder / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _start(folder: Path, machine: Machine) -> None:
    config = {
        "pebble": {
            "listenAddress": f"{machine.gateway}:{ACME_PORT}",
            "managementListenAddress": f"{machine.gateway}:{MANAGEMENT_PORT}",
            "certificate": str(folder / "server.crt"),
            "privateKey": str(folder / "server.key"),
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
    }
    (folder / "pebble.json").write_text(json.dumps(config))
    dns = f"127.0.0.1:{DNS_PORT}"
    silent = ["-http01", "", "-https01", "", "-tlsalpn01", ""]
    programs = {
        "dns": [
            "pebble-challtestsrv",
            "-dns01",
            dns,
            "-management",
            f"127.0.0.1:{DNS_MANAGEMENT_PORT}",
            "-defaultIPv4",
            machine.ipv4,
            "-defaultIPv6",
            "",
            *silent,
        ],
        "pebble": ["pebble", "-config", str(folder / "pebble.json"), "-dnsserver", dns],
    }
    for name, command in programs.items():
        with (folder / f"{name}.log").open("ab") as sink:
            process = subprocess.Popen(
                command,
                stdout=sink,
                stderr=sink,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "PEBBLE_VA_NOSLEEP": "1"},
            )
        (folder / f"{name}.pid").write_text(str(process.pid))


def _fetch_root(folder: Path, machine: Machine) -> bool:
    context = ssl.create_default_context(cafile=str(folder / "authority.crt"))
    address = f"https://{machine.gateway}:{MANAGEMENT_PORT}/roots/0"
    try:
        with urllib.request.urlopen(address, context=context, timeout=3) as answer:
            (folder / "root.crt").write_bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return False
    return True


def up(machine: Machine) -> dict[str, str]:
    """Start the ACME server and its DNS server; return the directory's address and the two files.

    Raises:
        StageFailure: They did not answer within 30 s.
    """
    ensure_packages({"pebble": "pebble"})
    folder = machine.folder / "acme"
    folder.mkdir(parents=True, exist_ok=True)
    down(machine.folder)
    _write_server_certificate(folder, machine.gateway)
    _start(folder, machine)
    deadline = time.monotonic() + _START_SECONDS
    while not _fetch_root(folder, machine):
        if time.monotonic() > deadline:
            raise StageFailure("the ACME server does not answer", f"see {folder}/pebble.log and dns.log")
        time.sleep(0.3)
    return {
        "directory_url": f"https://{machine.gateway}:{ACME_PORT}/dir",
        "authority": str(folder / "authority.crt"),
        "root": str(folder / "root.crt"),
    }


def down(machine_folder: Path) -> None:
    """Stop the two programs, if they run."""
    for pid_file in (machine_folder / "acme").glob("*.pid"):
        command_line = Path(f"/proc/{pid_file.read_text()}/cmdline")
        if command_line.exists() and b"pebble" in command_line.read_bytes():
            os.kill(int(pid_file.read_text()), signal.SIGTERM)
        pid_file.unlink()


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.machines.acme", description=__doc__)
    parser.add_argument("verb", choices=["up", "down"])
    parser.add_argument("name")
    arguments = parser.parse_args()
    machine = find_machine(arguments.name)
    if machine is None:
        print(f"{arguments.name} is not running", file=sys.stderr)
        return 1
    if arguments.verb == "down":
        down(machine.folder)
    else:
        print(json.dumps(up(machine)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
