"""What is read out of the auditors' reports."""

import pytest

from tests.bench.audit.findings import ReportError, read_lynis, read_ssh_audit

LYNIS = """# Lynis Report
hardening_index=71
warning[]=NETW-2705|Couldn't find 2 responsive nameservers|-|-|
suggestion[]=BOOT-5264|Consider hardening system services|Run '/usr/bin/systemd-analyze security SERVICE'|-|
suggestion[]=SSH-7408|Consider hardening SSH configuration|LogLevel (set INFO to VERBOSE)|-|
suggestion[]=SSH-7408|Consider hardening SSH configuration|MaxAuthTries (set 6 to 3)|-|
"""
SSH_AUDIT = """# general
(gen) banner: SSH-2.0-OpenSSH_9.2p1

# key exchange algorithms
(kex) curve25519-sha256                     -- [info] available since OpenSSH 7.4
(kex) ecdh-sha2-nistp256                    -- [fail] using weak elliptic curves
                                            `- [info] available since OpenSSH 5.7
(kex) diffie-hellman-group14-sha256         -- [warn] 2048-bit modulus only gives 112 bits

# message authentication code algorithms
(mac) hmac-sha1                             -- [fail] using broken SHA-1 hash algorithm
                                            `- [warn] using encrypt-and-MAC mode
"""


def test_lynis_index_warnings_and_suggestions() -> None:
    found = read_lynis(LYNIS)
    assert found.index == 71
    assert found.warnings == {"NETW-2705": "Couldn't find 2 responsive nameservers"}
    assert found.suggestions["SSH-7408"] == (
        "Consider hardening SSH configuration LogLevel (set INFO to VERBOSE); "
        "Consider hardening SSH configuration MaxAuthTries (set 6 to 3)"
    )
    assert len(found.suggestions) == 2


def test_a_lynis_that_did_not_end_has_no_result() -> None:
    with pytest.raises(ReportError, match="hardening_index"):
        read_lynis("# Lynis Report\n")


def test_ssh_audit_counts_lines_with_the_algorithm_they_are_about() -> None:
    found = read_ssh_audit(SSH_AUDIT)
    assert found.fails == (
        "(kex) ecdh-sha2-nistp256: using weak elliptic curves",
        "(mac) hmac-sha1: using broken SHA-1 hash algorithm",
    )
    assert [line.split(":")[0] for line in found.warnings] == [
        "(kex) diffie-hellman-group14-sha256",
        "(mac) hmac-sha1",
    ]


def test_an_ssh_audit_that_reached_nobody_has_no_result() -> None:
    with pytest.raises(ReportError, match="Connection refused"):
        read_ssh_audit("[exception] cannot connect to 127.0.0.1 port 22: Connection refused")
