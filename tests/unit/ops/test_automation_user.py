from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ops.automation_user import AutomationUser, UserError, automation_user, make, probe

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJkOdDnHPK4lxA1l7T8m it\'s "mine"'
ENTRY = {"name": "operator", "authorized_keys": ["", f" {KEY} ", KEY]}


def test_a_key_file_gives_its_public_half(tmp_path: Path) -> None:
    file = tmp_path / "assistant"
    entries = [{"name": "operator", "key_file": str(file)}]
    with pytest.raises(UserError, match=f"ssh-keygen -t rsa -b 4096 -f {file}"):
        automation_user("operator", entries, "root")
    file.with_name("assistant.pub").write_text("ssh-rsa AAAA me\n")
    made = automation_user("operator", entries, "root")
    assert made and made.keys == ("ssh-rsa AAAA me",)


def test_the_entry_of_that_name_gives_the_keys() -> None:
    entries = [{"name": "other", "authorized_keys": ["another key"]}, ENTRY]
    assert automation_user("operator", entries, "root") == AutomationUser("operator", (KEY,))
    assert automation_user(
        "operator", [{"name": "operator", "authorized_keys": KEY}], "root"
    ) == AutomationUser("operator", (KEY,))


@pytest.mark.parametrize("name", ["", "root"])
def test_root_is_made_by_nobody(name: str) -> None:
    assert automation_user(name, [ENTRY], "root") is None


def test_who_logs_in_already_and_has_no_entry_stays_as_it_is() -> None:
    assert automation_user("ubuntu", [ENTRY], "ubuntu") is None


@pytest.mark.parametrize(
    "entries", [[], None, [{"name": "other", "authorized_keys": [KEY]}], [{"name": "operator"}]]
)
def test_a_user_without_a_key_is_refused_with_an_example(entries: object) -> None:
    with pytest.raises(UserError, match=r"ssh_admin_users .*operator.*main\.yml, example: ssh_admin_users: "):
        automation_user("operator", entries, "root")


@pytest.mark.parametrize(
    "entries",
    ["{{ everybody }}", [{"name": "operator", "authorized_keys": ["{{ lookup('file', 'key.pub') }}"]}]],
)
def test_a_template_is_refused_with_an_example(entries: object) -> None:
    with pytest.raises(UserError, match=r"ssh_admin_users has .*template.*example"):
        automation_user("operator", entries, "root")


@pytest.mark.parametrize("name", ["two words", "Operator", "o;reboot", "-operator"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"ansible_user .* example: ansible_user: operator"):
        automation_user(name, [ENTRY], "root")


FAKES = {
    "getent": '[ -z "$HOME_OF" ] || echo "$2:x:1000:1000::$HOME_OF:/bin/bash"',
    "sudo": 'echo "    $SUDO_SAYS"',
}


def _probe(folder: Path, home: Path | None, sudo: str) -> list[str]:
    programs = folder / "programs"
    programs.mkdir()
    for name, line in FAKES.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME_OF": str(home or ""), "SUDO_SAYS": sudo}
    line = probe(AutomationUser("operator", (KEY, "a second key")))
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_a_bare_host_lacks_everything(tmp_path: Path) -> None:
    assert _probe(tmp_path, None, "User operator is not allowed to run sudo") == ["account", "sudo", "keys"]


def _home(folder: Path, *keys: str) -> Path:
    (folder / "home/.ssh").mkdir(parents=True)
    (folder / "home/.ssh/authorized_keys").write_text("".join(f"{key}\n" for key in keys))
    return folder / "home"


def test_one_of_two_keys_is_not_enough(tmp_path: Path) -> None:
    assert _probe(tmp_path, _home(tmp_path, KEY), "(ALL : ALL) NOPASSWD: ALL") == ["keys"]


def test_a_longer_line_is_another_key(tmp_path: Path) -> None:
    home = _home(tmp_path, KEY, "a second key, or rather a third")
    assert _probe(tmp_path, home, "(ALL : ALL) NOPASSWD: ALL") == ["keys"]


def test_a_host_that_has_it_all_lacks_nothing(tmp_path: Path) -> None:
    home = _home(tmp_path, "a second key", KEY)
    assert _probe(tmp_path, home, "(ALL : ALL) NOPASSWD: ALL") == []
    # sudo that asks for a password is none that Ansible can use.
    again = tmp_path / "again"
    again.mkdir()
    assert _probe(again, home, "(ALL : ALL) ALL") == ["sudo"]


def test_the_lines_that_make_a_user_are_shell() -> None:
    for line in make(AutomationUser("operator", (KEY,))):
        subprocess.run(["/bin/sh", "-n", "-c", line], check=True)
