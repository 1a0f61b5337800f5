from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.repository.project import ROOT, report
from tests.unit.repository.secret_wiring import literal_problems, placement_problems, vault_problems

VAULT = "inventory/example/group_vars/assistant/vault.yml"
MAIN = "inventory/example/group_vars/assistant/main.yml"
TASKS = "roles/bot/tasks/main.yml"


@pytest.mark.parametrize("check", [literal_problems, vault_problems, placement_problems])
def test_secrets_are_wired_through_the_vault(check: Callable[[Path], list[str]]) -> None:
    problems = check(ROOT)
    assert not problems, report(problems)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An inventory and a role with nothing wrong."""
    for name, text in {
        VAULT: 'vault_bot_token: ""\n',
        MAIN: 'bot_token: "{{ vault_bot_token }}"\nbot_token_file: /etc/bot\nbot_password: ""\nbot_url: https://a.example:8000/x\n',
        TASKS: '- ansible.builtin.assert: {that: bot_token | length, fail_msg: "vault_bot_token is empty"}\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_right_wiring_has_no_problems(project: Path) -> None:
    assert literal_problems(project) + vault_problems(project) + placement_problems(project) == []


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        (MAIN, "bot_token: abc\n", "bot_token must be a reference"),
        (MAIN, 'bot_token: "x{{ vault_bot_token }}"\n', "bot_token must be a reference"),
        (MAIN, "users: [{password: abc}]\n", "password must be a reference"),
        (MAIN, "bot_pem: '-----BEGIN PRIVATE KEY-----'\n", "bot_pem holds a private key"),
        (
            MAIN,
            "bot_database: postgresql://bot:abc@127.0.0.1/bot\n",
            "bot_database holds a password in a URL",
        ),
        (MAIN, 'bot_token: "{{ vault_other }}"\n', "lacks vault_other"),
        (MAIN, "bot_name: x\n", "lists vault_bot_token, which no inventory uses"),
        (VAULT, "vault_bot_token: abc\n", "vault_bot_token must be empty"),
        (VAULT, "{}\n", "lacks vault_bot_token"),
        (TASKS, "- ansible.builtin.debug: {msg: '{{ vault_bot_token }}'}\n", "uses vault_bot_token; wire it"),
        (TASKS, "- ansible.builtin.debug: {msg: vault_nothing is empty}\n", "lacks vault_nothing"),
    ],
)
def test_a_wrong_wiring_is_named(project: Path, file: str, text: str, problem: str) -> None:
    (project / file).write_text(text)
    found = literal_problems(project) + vault_problems(project) + placement_problems(project)
    assert [line for line in found if problem in line], report(found)
