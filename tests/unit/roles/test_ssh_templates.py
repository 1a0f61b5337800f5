from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.rendering import render

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
needs_sshd = pytest.mark.skipif(
    SSHD is None, reason="sshd is not installed, so nothing can check its configuration"
)
REPORT = ROOT / "roles/ssh/files/report.sh"


def _in_force(folder: Path, values: dict[str, Any] | None = None) -> set[str]:
    """Return what sshd makes of both drop-ins behind a cloud image's own."""
    for kind in ("ed25519", "rsa"):
        key = folder / f"ssh_host_{kind}_key"
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)], check=True)
    drop_ins = folder / "sshd_config.d"
    drop_ins.mkdir(exist_ok=True)
    text = render("ssh", "sshd.conf.j2", folder, values).read_text()
    (drop_ins / "00-ai-assistant.conf").write_text(text.replace("/etc/ssh/ssh_host", f"{folder}/ssh_host"))
    passwords = render("ssh", "passwords.conf.j2", folder).read_text()
    (drop_ins / "00-ai-assistant-passwords.conf").write_text(passwords)
    (drop_ins / "50-cloud-init.conf").write_text("PasswordAuthentication yes\nPermitRootLogin yes\n")
    main = folder / "sshd_config"
    main.write_text(f"Include {drop_ins}/*.conf\nX11Forwarding yes\nKbdInteractiveAuthentication yes\n")
    with contextlib.suppress(PermissionError):
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    if not Path("/run/sshd").is_dir():
        pytest.skip(
            "sshd checks nothing without /run/sshd, which only root can make and a running server has"
        )
    assert SSHD
    done = subprocess.run([SSHD, "-T", "-f", str(main)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


@needs_sshd
def test_sshd_takes_the_settings_over_a_cloud_images_own(tmp_path: Path) -> None:
    assert _in_force(tmp_path) >= {
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "permitrootlogin no",
        "allowgroups ssh-users",
        "maxsessions 2",
        "banner /etc/issue.net",
        "pubkeyacceptedalgorithms rsa-sha2-512,rsa-sha2-256",
        "x11forwarding no",
        "allowtcpforwarding local",
        "permitemptypasswords no",
        "maxauthtries 3",
        "logingracetime 30",
        "clientaliveinterval 300",
        "port 22",
    }


@needs_sshd
def test_every_variable_reaches_sshd(tmp_path: Path) -> None:
    values = {
        "ssh_port": 2222,
        "ssh_permit_root_login": "prohibit-password",
        "ssh_group": "",
        "ssh_allow_ed25519_keys": True,
        "ssh_max_sessions": 9,
        "ssh_banner": "",
        "ssh_max_auth_tries": 2,
        "ssh_login_grace_seconds": 11,
        "ssh_client_alive_interval_seconds": 12,
        "ssh_client_alive_count_max": 13,
        "ssh_tcp_forwarding": "no",
        "ssh_kex_algorithms": ["curve25519-sha256"],
        "ssh_ciphers": ["aes256-gcm@openssh.com"],
        "ssh_macs": ["hmac-sha2-512-etm@openssh.com"],
    }
    assert _in_force(tmp_path, values) >= {
        "port 2222",
        "permitrootlogin without-password",
        "maxsessions 9",
        "banner none",
        "pubkeyacceptedalgorithms rsa-sha2-512,rsa-sha2-256,ssh-ed25519,sk-ssh-ed25519@openssh.com",
        "maxauthtries 2",
        "logingracetime 11",
        "clientaliveinterval 12",
        "clientalivecountmax 13",
        "allowtcpforwarding no",
        "kexalgorithms curve25519-sha256",
        "ciphers aes256-gcm@openssh.com",
        "macs hmac-sha2-512-etm@openssh.com",
    }


def _report(tmp_path: Path, home: Path, *files: Path) -> str:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "getent").write_text(f"#!/bin/sh\necho 'someone:x:1:1::{home}:/bin/sh'\n")
    (programs / "getent").chmod(0o755)
    done = subprocess.run(
        ["sh", str(REPORT), *map(str, files)],
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_every_key_that_opens_the_host_is_measured_with_its_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    lines = []
    for bits, comment in ((2048, "short one"), (4096, "long one")):
        key = tmp_path / str(bits)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "rsa", "-b", str(bits), "-N", "", "-C", comment, "-f", str(key)],
            check=True,
        )
        lines.append(key.with_suffix(".pub").read_text())
    file = home / ".ssh/authorized_keys"
    file.write_text(f'# a remark\nfrom="192.0.2.0/24" {lines[0]}{lines[1]}')
    report = [line for line in _report(tmp_path, home).splitlines() if line.startswith("user ")]
    assert [line.split()[1:3] for line in report] == [[f"{file}:2", "2048"], [f"{file}:3", "4096"]]
    assert "short one (RSA)" in report[0]


def test_the_report_knows_the_algorithms_and_the_named_files(tmp_path: Path) -> None:
    file = tmp_path / "drop-in.conf"
    file.write_text("abc")
    report = _report(tmp_path, tmp_path, file, tmp_path / "absent").splitlines()
    assert "kex curve25519-sha256" in report
    assert "cipher aes256-gcm@openssh.com" in report
    assert "mac hmac-sha2-512-etm@openssh.com" in report
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert [line for line in report if line.startswith("sum ")] == [f"sum {file} {digest}"]
