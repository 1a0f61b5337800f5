"""SSH keys and host keys of throwaway machines."""

from __future__ import annotations

from pathlib import Path

from tools.controller.command import capture
from tools.controller.failure import StageFailure
from tools.controller.packages import ensure_packages


def ensure_key(path: Path, bits: int = 4096) -> Path:
    """Make an RSA key pair without a passphrase at ``path`` unless it is there; return its path.

    Args:
        bits: Length of the modulus.

    Raises:
        StageFailure: ssh-keygen failed.
    """
    if not path.exists():
        ensure_packages({"openssh-client": "ssh-keygen"})
        path.parent.mkdir(parents=True, exist_ok=True)
        comment = f"ai-assistant {path.parent.name}"
        status, output = capture(
            ["ssh-keygen", "-q", "-t", "rsa", "-b", str(bits), "-N", "", "-C", comment, "-f", str(path)]
        )
        if status != 0:
            raise StageFailure(f"ssh-keygen: {output.strip()}", f"remove {path.parent} and run again")
    return path


def write_known_hosts(path: Path, addresses: list[str], host_key: str) -> None:
    """Write an OpenSSH known_hosts file: every address with the one host key ("type base64 [comment]")."""
    kind, blob = host_key.split()[:2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{address} {kind} {blob}\n" for address in addresses))
