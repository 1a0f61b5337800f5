"""Settings of sshd that are broken, or that would shut the operator out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.machines_faults.harden_run import harden, reachable
from tests.machines_verify.machine_access import on_machine

OURS = "/etc/ssh/sshd_config.d/00-ai-assistant.conf"
THEIRS = "/etc/ssh/sshd_config.d/98-by-hand.conf"
CHANGE = ("-e", json.dumps({"ssh_login_grace_seconds": 29}))


@pytest.fixture
def by_hand() -> Iterator[Callable[[str], None]]:
    """Write a drop-in without loading it; it is gone afterwards, and the next run repairs the rest."""

    def write(text: str) -> None:
        on_machine(f"printf '%s\\n' '{text}' > {THEIRS}")

    yield write
    on_machine(f"rm -f {THEIRS}")
    assert harden().status == 0
    assert harden().changed == 0
    assert reachable()


def test_a_broken_line_of_somebody_else_is_named_before_any_change(by_hand: Callable[[str], None]) -> None:
    by_hand("# by hand\nPermitRootLogn no")
    run = harden(*CHANGE)
    assert run.status != 0
    assert run.changed == 0
    for words in (f"{THEIRS}: line 2", "PermitRootLogn", "sshd -t"):
        assert words in run.said, run.output[-3000:]
    assert reachable()


@pytest.mark.parametrize(
    "line",
    ["AllowUsers nobody", "DenyUsers operator", "Match User operator\n    AuthenticationMethods password"],
    ids=["AllowUsers", "DenyUsers", "Match"],
)
def test_settings_that_shut_the_operator_out_are_never_loaded(
    by_hand: Callable[[str], None], line: str
) -> None:
    by_hand(line)
    run = harden(*CHANGE)
    assert run.status != 0
    for words in ("sshd would not run with", "/etc/ssh/sshd_config.d", "put back"):
        assert words in run.said, run.output[-3000:]
    assert reachable()
    assert "LoginGraceTime 29" not in on_machine(f"cat {OURS}")


def test_a_broken_file_of_ours_is_written_anew() -> None:
    on_machine(f"echo 'Prot 2' >> {OURS}; rm /etc/ssh/sshd_config.d/00-ai-assistant-passwords.conf")
    run = harden()
    assert run.status == 0, run.output[-3000:]
    assert run.changed > 0
    assert reachable()
    in_force = on_machine("sshd -T").splitlines()
    assert {"passwordauthentication no", "kbdinteractiveauthentication no"} <= set(in_force)
    assert harden().changed == 0
