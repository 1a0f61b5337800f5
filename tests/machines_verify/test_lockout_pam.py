"""PAM is put in order or left as it was: edited by hand, or beside a profile that does not go with ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machines_verify.login_tries import (
    RIGHT,
    WRONG,
    account_with_password,
    failures,
    harden_lockout,
    su,
)
from tests.machines_verify.machine_access import on_machine, ssh

BEFORE = "/root/pam-before-the-test"
PROFILES = "ai-assistant-faillock ai-assistant-faillock-notify ai-assistant-faillock-reset"


def _pam() -> str:
    return on_machine("cd /etc/pam.d && sha256sum * && cd /var/lib/pam && sha256sum *")


@pytest.fixture
def saved() -> Iterator[None]:
    """Whatever a test does to PAM and fails to take back is taken back here."""
    on_machine(
        f"rm -rf {BEFORE} && mkdir {BEFORE}"
        f" && cp -a /etc/pam.d {BEFORE}/etc && cp -a /var/lib/pam {BEFORE}/lib"
    )
    yield
    on_machine(
        f"rm -f /etc/pam.d/*.hand-edited-* /etc/pam.d/*.pam-old /usr/share/pam-configs/zz-refuse-everybody"
        f" && cp -a {BEFORE}/etc/. /etc/pam.d/ && cp -a {BEFORE}/lib/. /var/lib/pam/ && rm -rf {BEFORE}"
    )


@pytest.fixture
def account() -> Iterator[str]:
    with account_with_password() as name:
        yield name


@pytest.mark.usefixtures("saved")
def test_an_edited_common_auth_is_left_alone_until_the_operator_says_so(account: str) -> None:
    jump = "s/^auth.*pam_unix.so/auth [success=1 default=ignore] pam_unix.so/"
    on_machine(f"sed -i -E '{jump}; /pam_faillock/d; s/pam_deny.so/& # mine/' /etc/pam.d/common-auth")
    before = _pam()

    refused = harden_lockout()
    assert refused.status != 0, refused.output[-3000:]
    for words in ("/etc/pam.d/common-auth", "edited", "lockout_overwrite_pam: true", "main.yml"):
        assert words in refused.said, refused.output[-3000:]
    assert _pam() == before
    assert ssh("true").returncode == 0
    assert su(account, RIGHT) == [True]

    repaired = harden_lockout("--extra-vars", '{"lockout_overwrite_pam": true}')
    assert repaired.status == 0, repaired.output[-3000:]
    copy = on_machine("ls /etc/pam.d/common-auth.hand-edited-*").strip()
    assert copy in repaired.said, repaired.output[-3000:]
    assert "# mine" in on_machine(f"cat {copy}")
    assert su(account, WRONG) == [False]
    assert failures(account) == 1
    assert su(account, RIGHT) == [True]
    assert harden_lockout().changed == 0


@pytest.mark.usefixtures("saved")
def test_pam_goes_back_where_root_could_no_longer_use_su(account: str) -> None:
    """Another package's profile that refuses everybody comes in with ours: neither stays."""
    on_machine(f"DEBIAN_FRONTEND=noninteractive pam-auth-update --package --remove {PROFILES}")
    before = _pam()
    profile = r"Name: refuse everybody\nDefault: yes\nPriority: 2000\n"
    profile += r"Account-Type: Primary\nAccount:\n\trequisite\tpam_deny.so\n"
    on_machine(f"printf '{profile}' > /usr/share/pam-configs/zz-refuse-everybody")

    refused = harden_lockout()
    assert refused.status != 0, refused.output[-3000:]
    for words in ("/etc/pam.d is as it was before", "su to root", "/usr/share/pam-configs", "example"):
        assert words in refused.said, refused.output[-3000:]
    assert _pam() == before
    assert su(account, RIGHT) == [True]
    assert ssh("true").returncode == 0

    on_machine("rm /usr/share/pam-configs/zz-refuse-everybody")
    repaired = harden_lockout()
    assert repaired.status == 0 and repaired.changed > 0, repaired.output[-3000:]
    assert su(account, WRONG) == [False]
    assert failures(account) == 1


@pytest.mark.usefixtures("saved")
def test_check_mode_tells_that_pam_would_change_and_changes_nothing() -> None:
    on_machine(f"DEBIAN_FRONTEND=noninteractive pam-auth-update --package --remove {PROFILES}")
    before = _pam()
    told = harden_lockout("--check")
    assert told.status == 0 and told.changed == 1, told.output[-3000:]
    assert _pam() == before
