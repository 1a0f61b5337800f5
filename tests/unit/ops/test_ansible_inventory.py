from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.ansible_inventory import (
    FIRST_USER,
    VARIABLE,
    InventoryError,
    connecting_user,
    groups_from_environment,
    inventory_paths,
    pyinfra_groups,
    read_inventory,
)

HOSTS = """
all:
  children:
    assistant:
      hosts:
        one:
          ansible_host: 192.0.2.1
          ansible_port: 2222
          ansible_user: operator
          ansible_ssh_private_key_file: ~/keys/one
          ssh_admin_users: [{name: operator, authorized_keys: [a key]}]
          ansible_ssh_common_args: "-o 'UserKnownHostsFile=/keys/known hosts' -o IdentitiesOnly=yes"
        two:
    spare-machines:
      children:
        cold:
          hosts:
            three:
              ansible_ssh_host: 192.0.2.3
    nobody: {}
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    folder = tmp_path / "inventory"
    (folder / "group_vars/assistant").mkdir(parents=True)
    (folder / "hosts.yml").write_text(HOSTS)
    (folder / "group_vars/assistant/main.yml").write_text("ansible_user: root\n")
    return folder


def test_ansibles_own_reading_becomes_pyinfras_groups(inventory: Path) -> None:
    groups = pyinfra_groups(read_inventory([str(inventory)]))
    assert set(groups) == {"assistant", "spare_machines", "cold"}
    assert dict(groups["assistant"]) == {
        "one": {
            "ssh_hostname": "192.0.2.1",
            "ssh_port": 2222,
            "ssh_user": "operator",
            "ssh_key": str(Path("~/keys/one").expanduser()),
            "ssh_known_hosts_file": "/keys/known hosts",
            "_sudo": True,
            "ansible_user": "operator",
            "ssh_admin_users": [{"name": "operator", "authorized_keys": ["a key"]}],
        },
        "two": {"ssh_hostname": "two", "ssh_user": "root", "ansible_user": "root", "ssh_admin_users": []},
    }
    three = {"ssh_hostname": "192.0.2.3", "ansible_user": "", "ssh_admin_users": []}
    assert groups["spare_machines"] == groups["cold"] == [("three", three)]


@pytest.mark.parametrize(("user", "sudo"), [("root", None), ("ubuntu", True)])
def test_another_user_may_make_the_first_connection(
    inventory: Path, monkeypatch: pytest.MonkeyPatch, user: str, sudo: bool | None
) -> None:
    monkeypatch.setenv(VARIABLE, str(inventory))
    monkeypatch.setenv(FIRST_USER, user)
    for _, data in groups_from_environment()["assistant"]:
        assert (data["ssh_user"], data.get("_sudo")) == (user, sudo)
    assert dict(groups_from_environment()["assistant"])["one"]["ansible_user"] == "operator"


def test_a_first_user_that_is_no_name_is_refused_with_an_example() -> None:
    with pytest.raises(InventoryError, match=rf"{FIRST_USER}.*example"):
        connecting_user("root@host")


def test_a_later_inventory_wins(inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = tmp_path / "later.yml"
    later.write_text(json.dumps({"assistant": {"hosts": {"two": {"ansible_host": "192.0.2.22"}}}}))
    monkeypatch.setenv(VARIABLE, f"{inventory}:{later}")
    groups = groups_from_environment()
    assert dict(groups["assistant"])["two"]["ssh_hostname"] == "192.0.2.22"
    assert dict(groups["assistant"])["one"]["ssh_hostname"] == "192.0.2.1"


def test_colons_and_commas_separate(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    for separator in (":", ",", ", "):
        assert len(inventory_paths(f"{tmp_path}/a{separator}{tmp_path}/b")) == 2


@pytest.mark.parametrize("value", ["", " , ", "no/such/inventory"])
def test_a_wrong_variable_is_named_with_an_example(value: str) -> None:
    with pytest.raises(InventoryError, match=rf"{VARIABLE}.*example"):
        inventory_paths(value)


def test_an_inventory_that_cannot_be_parsed_is_no_empty_one(tmp_path: Path) -> None:
    broken = tmp_path / "hosts.yml"
    broken.write_text("assistant: [\n")
    with pytest.raises(InventoryError, match=r"hosts\.yml"):
        read_inventory([str(broken)])


def test_no_host_at_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "hosts.yml"
    empty.write_text("assistant: {}\n")
    monkeypatch.setenv(VARIABLE, str(empty))
    with pytest.raises(InventoryError, match="no host"):
        groups_from_environment()


def test_a_template_is_refused_by_name() -> None:
    listed = {
        "_meta": {"hostvars": {"one": {"ansible_host": "{{ somewhere }}"}}},
        "assistant": {"hosts": ["one"]},
    }
    with pytest.raises(InventoryError, match=r"ansible_host of one .* example: ansible_host: 203"):
        pyinfra_groups(listed)


def test_two_groups_with_one_name_to_pyinfra_are_refused() -> None:
    listed = {"a-b": {"hosts": ["one"]}, "a_b": {"hosts": ["two"]}}
    with pytest.raises(InventoryError, match="a_b"):
        pyinfra_groups(listed)


def test_groups_that_contain_each_other_end() -> None:
    listed = {"a": {"children": ["b"], "hosts": ["one"]}, "b": {"children": ["a"]}}
    assert [name for name, _ in pyinfra_groups(listed)["b"]] == ["one"]
